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
_LINK_BYTES: Final = 4096
_DIRECTORY_BYTES_PER_MEMBER: Final = 1500


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
                for member in members:
                    _take_member(archive, member, intake)
    except (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError) as error:
        raise ArchiveRefused("corrupt", f"The archive is damaged: {error}") from error
    except EOFError as error:
        raise ArchiveRefused("truncated") from error


def _check_directory_size(raw: IO[bytes], limits: Limits) -> None:
    """The library reads the whole directory at once, so its claimed size is asked first."""
    end = raw.seek(0, 2)
    raw.seek(max(0, end - 65_557))
    tail = raw.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        raise ArchiveRefused("truncated")
    entries, size = struct.unpack_from("<HI", tail, at + 10)
    if entries != 0xFFFF and entries > limits.members:
        raise ArchiveRefused("too_many_members")
    if min(size, end) > limits.members * _DIRECTORY_BYTES_PER_MEMBER:
        raise ArchiveRefused("header_too_large")


def _check_layout(raw: IO[bytes], members: list[zipfile.ZipInfo], directory_at: int) -> None:
    """No two members may share bytes, and each must say of itself what the directory says of it."""
    free_from = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        raw.seek(member.header_offset)
        header = raw.read(_LOCAL.size)
        if len(header) != _LOCAL.size:
            raise ArchiveRefused("truncated", member=printable(member.filename))
        magic, _, flags, method, _, _, crc, packed, unpacked, name_length, extra_length = _LOCAL.unpack(header)
        name = raw.read(name_length)
        if magic != b"PK\x03\x04":
            raise ArchiveRefused("corrupt", member=printable(member.filename))
        encoding = "utf-8" if member.flag_bits & 0x800 else "cp437"
        sizes_follow = flags & 0x08
        agrees = (
            name == member.orig_filename.encode(encoding, "surrogateescape")
            and method == member.compress_type
            and (flags ^ member.flag_bits) & 0x809 == 0
            and (
                sizes_follow
                or 0xFFFFFFFF in (packed, unpacked)
                or (crc, packed, unpacked) == (member.CRC, member.compress_size, member.file_size)
            )
        )
        if not agrees:
            raise ArchiveRefused("zip_mismatch", member=printable(member.filename))
        if member.header_offset < free_from:
            raise ArchiveRefused("zip_overlap", member=printable(member.filename))
        free_from = member.header_offset + _LOCAL.size + name_length + extra_length + member.compress_size
        if free_from > directory_at:
            raise ArchiveRefused("zip_overlap", member=printable(member.filename))


def _take_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, intake: Intake) -> None:
    intake.count_member()
    path = clean_path(member.orig_filename, intake.limits)
    if member.flag_bits & 0x1:
        raise ArchiveRefused("encrypted_member", member=path)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveRefused("unsupported_compression", member=path)
    if member.is_dir():
        if path:
            intake.add_folder(path)
        return
    if not path:
        raise ArchiveRefused("name_illegal", member=printable(member.filename))
    kind = stat.S_IFMT(member.external_attr >> 16) if member.create_system == 3 else 0
    if kind not in (0, stat.S_IFREG, stat.S_IFLNK):
        raise ArchiveRefused("special_member", member=path)
    intake.check_size(path, member.file_size)
    limits = intake.limits
    if member.file_size > limits.ratio_free_bytes and member.file_size > limits.ratio * max(member.compress_size, 1):
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
