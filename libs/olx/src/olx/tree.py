"""The files of one course as they were read: text in memory, everything under `static` by its digest in the spool."""

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from olx.errors import ArchiveRefused
from olx.limits import Limits
from olx.names import is_junk

STATIC_FOLDERS: Final = ("static", "static_import")
_CHUNK: Final = 1 << 18
_EMPTY: Final = hashlib.sha256(b"").hexdigest()
_ALWAYS_SPOOLED: Final = 4 << 20

ReadChunk = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class File:
    size: int
    data: bytes | None = None
    digest: str | None = None
    """SHA-256, and the file's name in the spool; None while the bytes are in memory."""


@dataclass(slots=True)
class Link:
    target: str
    is_hard: bool


@dataclass(slots=True)
class Tree:
    """Every path here is relative to the folder of the root file."""

    spool: Path
    files: dict[str, File] = field(default_factory=dict)
    links_skipped: list[tuple[str, str, str]] = field(default_factory=list)
    """Path, code and explanation of each link that was left out."""
    folder: str = ""
    """Name of the folder in the archive; empty when the course lies at the top."""
    other_roots: list[str] = field(default_factory=list)
    ignored: int = 0
    """Files of the archive outside the course's folder."""
    junk: int = 0
    """Files that operating systems left in the archive."""

    def read(self, path: str) -> bytes:
        file = self.files[path]
        if file.data is not None:
            return file.data
        return (self.spool / str(file.digest)).read_bytes()


@dataclass(slots=True)
class Intake:
    """Takes members one by one into memory or the spool, within the limits."""

    spool: Path
    limits: Limits
    files: dict[str, File] = field(default_factory=dict)
    links: dict[str, Link] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    members: int = 0
    junk: int = 0
    unpacked: int = 0
    in_memory: int = 0
    deadline: float = 0.0

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.limits.seconds

    def check_time(self) -> None:
        if time.monotonic() > self.deadline:
            raise ArchiveRefused("too_slow", f"Reading took longer than {self.limits.seconds:g} seconds.")

    def count_member(self) -> None:
        self.members += 1
        if self.members > self.limits.members:
            raise ArchiveRefused("too_many_members", f"The archive has more than {self.limits.members} members.")
        if self.members % 64 == 0:
            self.check_time()

    def check_size(self, path: str, size: int) -> None:
        if size > self.limits.member_bytes:
            raise ArchiveRefused(
                "member_too_large", f"A member is larger than {self.limits.member_bytes} bytes.", member=path
            )
        self.unpacked += size
        if self.unpacked > self.limits.total_bytes:
            raise ArchiveRefused(
                "archive_too_large",
                f"The unpacked archive is larger than {self.limits.total_bytes} bytes.",
                member=path,
            )

    def add_folder(self, path: str) -> None:
        if path in self.files or path in self.links:
            raise ArchiveRefused("path_conflict", member=path)
        self._add_ancestors(path)
        self.folders.add(path)

    def add_link(self, path: str, target: str, *, is_hard: bool) -> None:
        self._claim(path)
        if is_junk(path):
            self.junk += 1
        else:
            self.links[path] = Link(target, is_hard)

    def add_file(self, path: str, size: int, read: ReadChunk) -> None:
        """Take exactly `size` bytes from `read`."""
        self._claim(path)
        if is_junk(path):
            self.junk += 1
            _skip(read, size, path, self.check_time)
            return
        is_static = any(part in STATIC_FOLDERS for part in path.split("/")[:-1])
        if not is_static and size <= _ALWAYS_SPOOLED and self.in_memory + size <= self.limits.memory_bytes:
            data = read(size) if size else b""
            if len(data) != size:
                raise ArchiveRefused("truncated", member=path)
            self.in_memory += size
            self.files[path] = File(size, data)
        else:
            self.files[path] = File(size, digest=self._spool(path, size, read))

    def _claim(self, path: str) -> None:
        if path in self.files or path in self.links:
            raise ArchiveRefused("duplicate_member", member=path)
        if path in self.folders:
            raise ArchiveRefused("path_conflict", member=path)
        self._add_ancestors(path)

    def _add_ancestors(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        while parent and parent not in self.folders:
            if parent in self.files or parent in self.links:
                raise ArchiveRefused("path_conflict", member=path)
            self.folders.add(parent)
            parent = parent.rpartition("/")[0]

    def _spool(self, path: str, size: int, read: ReadChunk) -> str:
        """Write under a name of our own, hash on the way, and let the hash be the final name."""
        if not size and (self.spool / _EMPTY).exists():
            return _EMPTY
        unnamed = self.spool / f".part-{os.getpid()}"
        digest = hashlib.sha256()
        left = size
        with unnamed.open("wb", buffering=0) as out:
            while left:
                chunk = read(min(left, _CHUNK))
                if not chunk:
                    raise ArchiveRefused("truncated", member=path)
                digest.update(chunk)
                out.write(chunk)
                left -= len(chunk)
                self.check_time()
        name = digest.hexdigest()
        unnamed.replace(self.spool / name)
        return name


def _skip(read: ReadChunk, size: int, path: str, check_time: Callable[[], None]) -> None:
    left = size
    while left:
        chunk = read(min(left, _CHUNK))
        if not chunk:
            raise ArchiveRefused("truncated", member=path)
        left -= len(chunk)
        check_time()
