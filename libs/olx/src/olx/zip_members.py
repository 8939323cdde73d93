"""Reading a zip archive: its directory is checked against the members' own headers before anything is unpacked."""

import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, Final

from olx.errors import ArchiveRefused
from olx.limits import Limits
from olx.names import clean_path, printable
from olx.tree import Intake

_LOCAL: Final = struct.Struct("<4s5H3I2H")
_END: Final = struct.Struct("<4s4H2IH")
_END_64: Final = struct.Struct("<4sQ2H2I4Q")
_END_BYTES: Final = _END.size + 0xFFFF
_LINK_BYTES: Final = 4096
_DIRECTORY_BYTES_PER_MEMBER: Final = 1500
_FULL: Final = 0xFFFFFFFF
"""A size that stands in the zip64 extra field instead."""
_ENCRYPTED, _SIZES_FOLLOW, _UTF_8 = 0x1, 0x8, 0x800
_ZIP64_FIELD, _UNICODE_PATH_FIELD = 0x0001, 0x7075
_DOS: Final = 0
_UNIX: Final = (3, 19)


def read_zip(path: Path, intake: Intake) -> None:
    try:
        with path.open("rb") as raw:
            _check_directory_size(raw, intake.limits)
            with zipfile.ZipFile(raw) as archive:
                members = archive.infolist()
                if not members:
                    raise ArchiveRefused("empty_archive")
                if len(members) > intake.limits.members:
                    raise ArchiveRefused("too_many_members")
                _check_layout(raw, members, archive.start_dir)
                packed = path.stat().st_size
                for member in members:
                    _take_member(archive, member, intake, packed)
    except UnicodeDecodeError as error:
        raise ArchiveRefused("name_not_utf8") from error
    except (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError) as error:
        raise ArchiveRefused("corrupt", f"The archive is damaged: {error}") from error
    except EOFError as error:
        raise ArchiveRefused("truncated") from error


def _check_directory_size(raw: IO[bytes], limits: Limits) -> None:
    """The library reads the whole directory at once, so its claimed size is asked first."""
    end = raw.seek(0, 2)
    start = max(0, end - _END_BYTES - 20)
    raw.seek(start)
    tail = raw.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise ArchiveRefused("truncated")
    _, _, _, _, entries, size, _, _ = _END.unpack_from(tail, at)
    if at >= 20 and tail[at - 20 : at - 16] == b"PK\x06\x07":
        (offset,) = struct.unpack_from("<Q", tail, at - 12)
        if offset > end - _END_64.size:
            raise ArchiveRefused("corrupt")
        raw.seek(offset)
        fields = _END_64.unpack(raw.read(_END_64.size))
        entries, size = max(entries, fields[7]) if entries != 0xFFFF else fields[7], fields[8]
    if entries > limits.members:
        raise ArchiveRefused("too_many_members")
    if min(size, end) > limits.members * _DIRECTORY_BYTES_PER_MEMBER:
        raise ArchiveRefused("header_too_large")


def _check_layout(raw: IO[bytes], members: list[zipfile.ZipInfo], directory_at: int) -> None:
    """No two members may share bytes, and each must say of itself what the directory says of it."""
    free_from = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        if member.header_offset < free_from:
            raise ArchiveRefused("zip_overlap", member=printable(member.filename))
        free_from = _end_of(raw, member)
        if free_from > directory_at:
            raise ArchiveRefused("zip_overlap", member=printable(member.filename))


def _end_of(raw: IO[bytes], member: zipfile.ZipInfo) -> int:
    """Where the member's bytes end; refused when its own header contradicts the directory."""
    name = printable(member.filename)
    if not 0 <= member.header_offset < raw.seek(0, 2):
        raise ArchiveRefused("corrupt", member=name)
    raw.seek(member.header_offset)
    header = raw.read(_LOCAL.size)
    if len(header) != _LOCAL.size:
        raise ArchiveRefused("truncated", member=name)
    magic, _, flags, method, _, _, crc, packed, unpacked, name_length, extra_length = _LOCAL.unpack(header)
    if magic != b"PK\x03\x04":
        raise ArchiveRefused("corrupt", member=name)
    own_name, extra = raw.read(name_length), raw.read(extra_length)
    if _FULL in (packed, unpacked):
        unpacked, packed = _sizes_of_zip64(extra, unpacked, packed)
    end = member.header_offset + _LOCAL.size + name_length + extra_length + member.compress_size
    agrees = (
        own_name == _written_name(member)
        and method == member.compress_type
        and (flags ^ member.flag_bits) & (_ENCRYPTED | _SIZES_FOLLOW | _UTF_8) == 0
    )
    if agrees and (crc, packed, unpacked) == (member.CRC, member.compress_size, member.file_size):
        return int(end)
    if not agrees or not flags & _SIZES_FOLLOW or (crc, packed, unpacked) != (0, 0, 0):
        raise ArchiveRefused("zip_mismatch", member=name)
    return int(end) + _descriptor_length(raw, end, member)


def _descriptor_length(raw: IO[bytes], at: int, member: zipfile.ZipInfo) -> int:
    """Sizes that follow the member's bytes: with or without a mark of their own, in 4 bytes or in 8 each."""
    raw.seek(at)
    found: bytes = raw.read(24)
    for sizes in ("<I2I", "<I2Q"):
        if max(member.compress_size, member.file_size) > _FULL and sizes == "<I2I":
            continue
        expected = struct.pack(sizes, member.CRC, member.compress_size, member.file_size)
        for written in (b"PK\x07\x08" + expected, expected):
            if found.startswith(written):
                return len(written)
    raise ArchiveRefused("zip_mismatch", member=printable(member.filename))


def _sizes_of_zip64(extra: bytes, unpacked: int, packed: int) -> tuple[int, int]:
    """Both sizes, those that do not fit taken from the extra field in this order."""
    body = _extra_field(extra, _ZIP64_FIELD)
    sizes = []
    for size in (unpacked, packed):
        if size == _FULL:
            if len(body) < 8:
                raise ArchiveRefused("corrupt")
            size, body = int.from_bytes(body[:8], "little"), body[8:]
        sizes.append(size)
    return sizes[0], sizes[1]


def _extra_field(extra: bytes, wanted: int) -> bytes:
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == wanted:
            return extra[4 : 4 + length]
        extra = extra[4 + length :]
    return b""


def _written_name(member: zipfile.ZipInfo) -> bytes:
    return member.orig_filename.encode("utf-8" if member.flag_bits & _UTF_8 else "cp437", "surrogateescape")


def _name_of(member: zipfile.ZipInfo) -> str:
    """The name, also where its packer did not say that it wrote UTF-8, or wrote `\\` for `/`."""
    name = member.orig_filename
    written = _written_name(member)
    if not member.flag_bits & _UTF_8 and not written.isascii():
        given = _extra_field(member.extra, _UNICODE_PATH_FIELD)
        is_of_this_name = given[:1] == b"\x01" and given[1:5] == zlib.crc32(written).to_bytes(4, "little")
        try:
            name = (given[5:] if is_of_this_name else written).decode("utf-8")
        except UnicodeDecodeError:
            name = member.orig_filename
    if member.create_system == _DOS and "/" not in name:
        name = name.replace("\\", "/")
    return name


def _take_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, intake: Intake, packed: int) -> None:
    intake.count_member()
    name = _name_of(member)
    path = clean_path(name, intake.limits)
    if member.flag_bits & _ENCRYPTED:
        raise ArchiveRefused("encrypted_member", member=path)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveRefused("unsupported_compression", member=path)
    if name.endswith("/"):
        if path:
            intake.add_folder(path)
        return
    if not path:
        raise ArchiveRefused("name_illegal", member=printable(member.filename))
    kind = stat.S_IFMT(member.external_attr >> 16) if member.create_system in _UNIX else 0
    if kind not in (0, stat.S_IFREG, stat.S_IFLNK):
        raise ArchiveRefused("special_member", member=path)
    intake.check_size(path, member.file_size)
    limits = intake.limits
    if intake.unpacked > limits.ratio_free_bytes and (
        (member.file_size > limits.ratio_free_bytes and member.file_size > limits.ratio * max(member.compress_size, 1))
        or intake.unpacked > limits.ratio * packed
    ):
        raise ArchiveRefused("ratio_too_high", member=path)
    with archive.open(member) as stream:
        if kind == stat.S_IFLNK:
            if member.file_size > _LINK_BYTES:
                raise ArchiveRefused("name_too_long", member=path)
            intake.add_link(path, stream.read().decode("utf-8", "surrogateescape"), is_hard=False)
            return
        intake.add_file(path, member.file_size, stream.read)
        if stream.read(1):
            raise ArchiveRefused("zip_mismatch", member=path)
