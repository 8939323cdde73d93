"""A gzipped tar whose bytes depend on the names and contents of its members alone."""

import struct
import tarfile
from types import TracebackType
from typing import IO, Final, Protocol, Self

from isal import isal_zlib

_COPY_BYTES: Final = 1 << 18
_LEVEL: Final = 1
_RAW: Final = -15
_GZIP_HEADER: Final = b"\x1f\x8b\x08\0\0\0\0\0\x04\xff"
_EMPTY_LAST_BLOCK: Final = b"\x03\0"
_STORED_BYTES: Final = 0xFFFF
_JOINED_BYTES: Final = 1 << 16
# What is compressed already costs as much to compress again as all the rest, and saves a twentieth.
_PACKED: Final = (
    (
        0,
        (
            b"\x89PNG",
            b"\xff\xd8\xff",
            b"GIF8",
            b"PK\x03\x04",
            b"\x1f\x8b",
            b"BZh",
            b"\xfd7zXZ",
            b"(\xb5/\xfd",
            b"7z\xbc",
        ),
    ),
    (0, (b"OggS", b"ID3", b"fLaC", b"\x1a\x45\xdf\xa3", b"wOFF", b"wOF2", b"%PDF", b"Rar!")),
    (4, (b"ftyp",)),
    (8, (b"WEBP", b"AVI ")),
)
_WORTH_ASKING: Final = 1 << 12
_SAMPLE: Final = 1 << 12

_PLAIN_NAME: Final = 100
_PLAIN_SIZE: Final = 1 << 33


class Sink(Protocol):
    """Where an archive goes: anything with `write`."""

    def write(self, data: bytes, /) -> object: ...


def is_packed(head: bytes) -> bool:
    """Do a file's first bytes say that compressing it again is in vain?"""
    if len(head) < _WORTH_ASKING:
        return False
    if any(head.startswith(marks, place) for place, marks in _PACKED):
        return True
    middle = (len(head) - _SAMPLE) // 2
    sample = head[middle : middle + _SAMPLE]
    return len(isal_zlib.compress(sample, _LEVEL, _RAW)) > 0.97 * len(sample)


class Gzip:
    """One gzip member, in which some bytes are compressed and some stored as they are."""

    def __init__(self, out: Sink) -> None:
        self._out = out
        self._crc = 0
        self._size = 0
        self._deflate: isal_zlib.Compress | None = None
        self._parts: list[bytes] = []
        self._held = 0
        out.write(_GZIP_HEADER)

    def _count(self, data: bytes) -> None:
        self._crc = isal_zlib.crc32(data, self._crc)
        self._size += len(data)

    def write(self, data: bytes) -> None:
        """Compressed, small pieces together: each call of the compressor costs as much as some hundred bytes."""
        self._parts.append(data)
        self._held += len(data)
        if self._held >= _JOINED_BYTES:
            self._compress()

    def _compress(self) -> None:
        data = b"".join(self._parts)
        self._parts, self._held = [], 0
        self._count(data)
        if self._deflate is None:
            self._deflate = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _RAW)
        self._out.write(self._deflate.compress(data))

    def store(self, data: bytes) -> None:
        """As it is; what was compressed before ends at a byte's edge, and what follows does not refer to it."""
        self._settle()
        self._count(data)
        for start in range(0, len(data), _STORED_BYTES):
            size = min(_STORED_BYTES, len(data) - start)
            self._out.write(struct.pack("<BHH", 0, size, size ^ _STORED_BYTES))
            self._out.write(data[start : start + size])

    def _settle(self) -> None:
        if self._parts:
            self._compress()
        if self._deflate is not None:
            self._out.write(self._deflate.flush(isal_zlib.Z_FULL_FLUSH))
            self._deflate = None

    def close(self) -> None:
        self._settle()
        self._out.write(_EMPTY_LAST_BLOCK + struct.pack("<II", self._crc, self._size & 0xFFFFFFFF))


def _template() -> bytes:
    member = tarfile.TarInfo("")
    member.mode = 0o644
    head = bytearray(member.tobuf(tarfile.USTAR_FORMAT))
    head[124:136] = bytes(12)
    head[148:156] = b" " * 8  # as which a checksum counts in itself
    return bytes(head)


_HEADER: Final = _template()
_HEADER_SUM: Final = sum(_HEADER)


def header(name: str, size: int) -> bytes:
    """A member's head. Most names are plain, and `tarfile` takes longer for a head than for a small file's body."""
    encoded = name.encode()
    if len(encoded) > _PLAIN_NAME or not name.isascii() or size >= _PLAIN_SIZE:
        member = tarfile.TarInfo(name)
        member.mode, member.size = 0o644, size
        return member.tobuf(tarfile.PAX_FORMAT, "utf-8")
    digits = b"%011o\0" % size
    total = _HEADER_SUM + sum(encoded) + sum(digits)
    head = bytearray(_HEADER)
    head[: len(encoded)] = encoded
    head[124:136] = digits
    head[148:156] = b"%06o\0 " % total
    return bytes(head)


class GzippedTar:
    """One gzip member at the fastest level that compresses; owners, modes and times are the same for every file."""

    def __init__(self, out: Sink) -> None:
        self._gzip = Gzip(out)
        self._written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            end = 2 * tarfile.BLOCKSIZE
            self._gzip.write(b"\0" * (end + -(self._written + end) % tarfile.RECORDSIZE))
            self._gzip.close()

    def add_text(self, name: str, data: bytes) -> None:
        """Write a member that is at hand and worth compressing."""
        head, padding = header(name, len(data)), bytes(-len(data) % tarfile.BLOCKSIZE)
        self._gzip.write(head)
        self._gzip.write(data)
        self._gzip.write(padding)
        self._written += len(head) + len(data) + len(padding)

    def add(self, name: str, size: int, stream: IO[bytes]) -> None:
        """Write a member of exactly `size` bytes; a stream that has more or fewer is an error."""
        head = header(name, size)
        self._gzip.write(head)
        left = size
        write = None
        while left and (chunk := stream.read(min(left, _COPY_BYTES))):
            if write is None:
                write = self._gzip.store if is_packed(chunk) else self._gzip.write
            write(chunk)
            left -= len(chunk)
        if left or stream.read(1):
            raise ValueError(f"{name} has not the {size} bytes it should have")
        padding = -size % tarfile.BLOCKSIZE
        self._gzip.write(b"\0" * padding)
        self._written += len(head) + size + padding
