"""A gzipped tar whose bytes depend on the names and contents of its members alone."""

import tarfile
from types import TracebackType
from typing import IO, Final, Protocol, Self

from isal import igzip

_COPY_BYTES: Final = 1 << 18


class Sink(Protocol):
    """Where an archive goes: anything with `write`."""

    def write(self, data: bytes, /) -> object: ...


class GzippedTar:
    """One gzip member at the fastest level that compresses; owners, modes and times are the same for every file."""

    def __init__(self, out: Sink) -> None:
        self._out: Sink = igzip.IGzipFile(filename="", mode="wb", compresslevel=1, fileobj=out, mtime=0)  # type: ignore[no-untyped-call]
        self._written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            end = 2 * tarfile.BLOCKSIZE
            self._out.write(b"\0" * (end + -(self._written + end) % tarfile.RECORDSIZE))
            self._out.close()  # type: ignore[attr-defined]

    def add(self, name: str, size: int, stream: IO[bytes]) -> None:
        """Write a member of exactly `size` bytes; a stream that has more or fewer is an error."""
        header = tarfile.TarInfo(name)
        header.mode = 0o644
        header.size = size
        head = header.tobuf(tarfile.PAX_FORMAT, "utf-8")
        self._out.write(head)
        left = size
        while left and (chunk := stream.read(min(left, _COPY_BYTES))):
            self._out.write(chunk)
            left -= len(chunk)
        if left or stream.read(1):
            raise ValueError(f"{name} has not the {size} bytes it should have")
        padding = -size % tarfile.BLOCKSIZE
        self._out.write(b"\0" * padding)
        self._written += len(head) + size + padding
