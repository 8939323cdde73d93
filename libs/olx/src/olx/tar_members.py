"""Reading a tar, gzipped or not, in one pass and member by member.

Header blocks are decoded by the standard library (`TarInfo.frombuf`); walking the archive is done here, because the
library's own walk follows sizes a header merely claims and reads extension records of any length.
"""

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from isal import igzip, isal_zlib

from olx.errors import ArchiveRefused
from olx.limits import Limits
from olx.names import clean_path, printable
from olx.tree import Intake

_BLOCK: Final = 512
_REGULAR: Final = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_PAX: Final = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class _Counted:
    """A stream that knows how much it gave, and stops when that is out of all proportion to what it was made from."""

    def __init__(
        self, stream: _Readable, packed: io.FileIO | None, limits: Limits, check_time: Callable[[], None]
    ) -> None:
        self._stream = stream
        self._packed = packed
        self._limits = limits
        self._check_time = check_time
        self.given = 0

    def read(self, size: int) -> bytes:
        try:
            data = self._stream.read(size)
        except EOFError as error:
            raise ArchiveRefused("truncated") from error
        except (gzip.BadGzipFile, isal_zlib.IsalError) as error:  # type: ignore[misc]  # its stub says Any
            raise ArchiveRefused("corrupt", f"The archive is damaged: {error}") from error
        self.given += len(data)
        limits = self._limits
        if self.given > limits.total_bytes + limits.total_bytes // 4:
            raise ArchiveRefused("archive_too_large")
        if (
            self._packed is not None
            and self.given > limits.ratio_free_bytes
            and self.given > limits.ratio * max(self._packed.tell(), 1)
        ):
            raise ArchiveRefused(
                "ratio_too_high", f"The archive unpacks to more than {limits.ratio} times its own size."
            )
        return data

    def exactly(self, size: int) -> bytes:
        data = self.read(size)
        if len(data) != size:
            raise ArchiveRefused("truncated")
        return data

    def drain(self) -> None:
        """After the end mark only padding may follow: other tools would read what comes next as more members."""
        while chunk := self.read(1 << 16):
            self._check_time()
            if chunk.count(0) != len(chunk):
                raise ArchiveRefused("trailing_data")


def read_tar(path: Path, intake: Intake, *, gzipped: bool) -> None:
    with path.open("rb", buffering=0) as packed:
        if gzipped:
            with igzip.IGzipFile(fileobj=packed, mode="rb") as unpacked:  # type: ignore[no-untyped-call]
                _read_members(_Counted(unpacked, packed, intake.limits, intake.check_time), intake)
        else:
            _read_members(_Counted(io.BufferedReader(packed, 1 << 18), None, intake.limits, intake.check_time), intake)


def _read_members(stream: _Counted, intake: Intake) -> None:
    extension = _Extension()
    while True:
        block = stream.read(_BLOCK)
        if len(block) != _BLOCK:
            raise ArchiveRefused("truncated" if intake.members or block else "empty_archive")
        if block.count(0) == _BLOCK:
            break
        try:
            header = _plain_header(block) or tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            code = "corrupt" if intake.members else "not_an_archive"
            raise ArchiveRefused(code) from error
        if header.size < 0:
            raise ArchiveRefused("corrupt", member=printable(header.name))
        intake.count_member()
        if header.type in _PAX or header.type in (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK):
            extension.take(header, stream, intake.limits)
            continue
        extension.apply_to(header)
        extension = _Extension(extension.shared)
        _take_member(header, stream, intake)
    stream.drain()


def _plain_header(block: bytes) -> tarfile.TarInfo | None:
    """The header of an ordinary file, decoded in a fraction of the library's time; None for any other."""
    checksum, size = block[148:156].rstrip(b" \0"), block[124:136].rstrip(b" \0")
    if block[156:157] != tarfile.REGTYPE or block[257:262] != b"ustar" or not (checksum.isdigit() and size.isdigit()):
        return None
    name, prefix = block[:100].partition(b"\0")[0], block[345:500].partition(b"\0")[0]
    try:
        if int(checksum, 8) != sum(block) - sum(block[148:156]) + 256:
            return None
        header = tarfile.TarInfo((prefix + b"/" + name if prefix else name).decode("utf-8", "surrogateescape"))
        header.size = int(size, 8)
    except ValueError:
        return None
    return header


def _take_member(header: tarfile.TarInfo, stream: _Counted, intake: Intake) -> None:
    path = clean_path(header.name, intake.limits)
    if header.type == tarfile.DIRTYPE:
        if path:
            intake.add_folder(path)
        return
    if not path:
        raise ArchiveRefused("name_illegal", member=printable(header.name))
    if header.type in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        intake.add_link(path, header.linkname, is_hard=header.type == tarfile.LNKTYPE)
        return
    if header.type not in _REGULAR:
        raise ArchiveRefused("special_member", member=path)
    intake.check_size(path, header.size)
    intake.add_file(path, header.size, stream.read)
    padding = -header.size % _BLOCK
    if padding:
        stream.exactly(padding)


class _Extension:
    """Long names and PAX records that belong to the next member."""

    def __init__(self, shared: int = 0) -> None:
        self.name: str | None = None
        self.linkname: str | None = None
        self.size: int | None = None
        self.bytes = 0
        self.shared = shared

    def take(self, header: tarfile.TarInfo, stream: _Counted, limits: Limits) -> None:
        self.bytes += header.size
        self.shared += header.size if header.type == tarfile.XGLTYPE else 0
        if max(self.bytes, self.shared) > limits.header_bytes:
            raise ArchiveRefused("header_too_large", f"A member's header is larger than {limits.header_bytes} bytes.")
        body = stream.exactly(header.size + -header.size % _BLOCK)[: header.size]
        if header.type in _PAX:
            self._take_records(body, is_global=header.type == tarfile.XGLTYPE)
        elif header.type == tarfile.GNUTYPE_LONGNAME:
            self.name = _text(body)
        else:
            self.linkname = _text(body)

    def _take_records(self, body: bytes, *, is_global: bool) -> None:
        position = 0
        while position < len(body) and body[position] != 0:
            length_text, space, _ = body[position : position + 20].partition(b" ")
            if not space or not length_text.isdigit():
                raise ArchiveRefused("corrupt")
            end = position + int(length_text)
            record = body[position + len(length_text) + 1 : end]
            if end > len(body) or not record.endswith(b"\n"):
                raise ArchiveRefused("corrupt")
            key, _, value = record[:-1].partition(b"=")
            self._take_record(key, value, is_global=is_global)
            position = end

    def _take_record(self, key: bytes, value: bytes, *, is_global: bool) -> None:
        if key.startswith(b"GNU.sparse"):
            raise ArchiveRefused("special_member", "A member is a sparse file, which is not read here.")
        if key not in (b"path", b"linkpath", b"size"):
            return
        if is_global:
            raise ArchiveRefused("corrupt", "A name or size is claimed for all members at once.")
        if key == b"size":
            if not value.isdigit() or len(value) > 18:
                raise ArchiveRefused("corrupt")
            self.size = int(value)
        elif key == b"path":
            self.name = _text(value)
        else:
            self.linkname = _text(value)

    def apply_to(self, header: tarfile.TarInfo) -> None:
        if self.name is not None:
            header.name = self.name
        if self.linkname is not None:
            header.linkname = self.linkname
        if self.size is not None:
            header.size = self.size


def _text(body: bytes) -> str:
    return body.rstrip(b"\0").decode("utf-8", "surrogateescape")
