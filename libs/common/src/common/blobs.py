"""The blob store: assets, uploads, snapshots, archives. A local folder, or S3 through obstore."""

import asyncio
import errno
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import unquote, urlsplit

_KEY = re.compile(r"[a-z]+(/[A-Za-z0-9._-]+)+\Z")
CHUNK = 256 * 1024
_FLUSHERS = 8
_ASKERS = 16


class BlobStore(Protocol):
    """Keys are ours (`assets/ab/<sha256>`, `uploads/<id>`), never a name that came from outside.

    A put is atomic and durable: when it returns, a reader sees all bytes or (before) none.
    """

    async def put_bytes(self, key: str, data: bytes) -> None: ...
    async def put_files(self, files: Mapping[str, Path]) -> None: ...
    async def take_files(self, files: Mapping[str, Path]) -> None: ...
    async def get_bytes(self, key: str) -> bytes: ...
    async def read_small(self, key: str, limit: int) -> tuple[int, bytes | None]: ...
    def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]: ...
    async def size(self, key: str) -> int | None: ...
    async def sizes(self, keys: Sequence[str]) -> list[int | None]: ...
    async def delete(self, key: str) -> None: ...
    async def list_keys(self, prefix: str) -> list[str]: ...
    def local_path(self, key: str) -> Path | None: ...


class BlobMissing(Exception):
    """The blob store has no such blob."""


class BadBlobKey(ValueError):
    """A blob key that could leave the store."""


def asset_key(digest: str) -> str:
    """Where the bytes with this sha256 (hex) lie."""
    return f"assets/{digest[:2]}/{digest}"


def _checked(key: str) -> str:
    if not _KEY.match(key) or ".." in key:
        raise BadBlobKey(key)
    return key


async def exists(store: BlobStore, key: str) -> bool:
    return await store.size(key) is not None


async def put_file(store: BlobStore, key: str, path: Path) -> None:
    await store.put_files({key: path})


async def take_file(store: BlobStore, key: str, path: Path) -> None:
    await store.take_files({key: path})


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    """In the kernel where both lie on one kind of disk, else by hand."""
    left = os.fstat(source.fileno()).st_size
    try:
        while left and (step := os.copy_file_range(source.fileno(), target.fileno(), left)):
            left -= step
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        source.seek(0)
        target.seek(0)
        shutil.copyfileobj(source, target, CHUNK)


def _flush(paths: Collection[Path]) -> None:
    """Onto the disk, several at a time: each waits for the disk, which joins what waits together."""
    if len(paths) == 1:
        _flush_one(next(iter(paths)))
    elif paths:
        with ThreadPoolExecutor(min(_FLUSHERS, len(paths))) as threads:
            list(threads.map(_flush_one, paths))


def _flush_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


class LocalBlobs:
    """A folder. Writes go to a temporary file beside the target, are flushed to disk and renamed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _path(self, key: str) -> Path:
        return self._root / _checked(key)

    def local_path(self, key: str) -> Path | None:
        return self._path(key)

    async def put_bytes(self, key: str, data: bytes) -> None:
        await asyncio.to_thread(self._put_bytes, key, data)

    def _put_bytes(self, key: str, data: bytes) -> None:
        target = self._path(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".new-")
        try:
            with os.fdopen(descriptor, "wb") as out:
                out.write(data)
                out.flush()
                os.fdatasync(out.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    async def put_files(self, files: Mapping[str, Path]) -> None:
        """Copy many files in one thread; all are written before the first is flushed, so the disk can join its work."""
        await asyncio.to_thread(self._put_files, files)

    def _put_files(self, files: Mapping[str, Path]) -> None:
        written: list[tuple[Path, Path]] = []
        try:
            for key, source in files.items():
                target = self._path(key)
                target.parent.mkdir(parents=True, exist_ok=True)
                descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".new-")
                written.append((Path(name), target))
                with os.fdopen(descriptor, "wb") as out, source.open("rb") as data:
                    _copy(data, out)
            _flush([temporary for temporary, _ in written])
            for temporary, target in written:
                temporary.replace(target)
        except BaseException:
            for temporary, _ in written:
                temporary.unlink(missing_ok=True)
            raise

    async def take_files(self, files: Mapping[str, Path]) -> None:
        """Put files whose writer is done with them: those on the store's own disk are moved, and not copied."""
        await asyncio.to_thread(self._take_files, files)

    def _take_files(self, files: Mapping[str, Path]) -> None:
        targets = {self._path(key): (key, source) for key, source in files.items()}
        for folder in {target.parent for target in targets}:
            folder.mkdir(parents=True, exist_ok=True)
        _flush(list(files.values()))
        elsewhere: dict[str, Path] = {}
        for target, (key, source) in targets.items():
            try:
                source.replace(target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                elsewhere[key] = source
        self._put_files(elsewhere)

    async def get_bytes(self, key: str) -> bytes:
        try:
            return await asyncio.to_thread(self._path(key).read_bytes)
        except FileNotFoundError as error:
            raise BlobMissing(key) from error

    async def read_small(self, key: str, limit: int) -> tuple[int, bytes | None]:
        """The size, and all bytes unless they are more than *limit*; one change of thread instead of three."""
        try:
            return await asyncio.to_thread(self._read_small, self._path(key), limit)
        except FileNotFoundError as error:
            raise BlobMissing(key) from error

    def _read_small(self, path: Path, limit: int) -> tuple[int, bytes | None]:
        with path.open("rb", buffering=0) as source:
            size = os.fstat(source.fileno()).st_size
            return size, source.read() if size <= limit else None

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Bytes from *start* up to, not including, *end*."""
        try:
            source = await asyncio.to_thread(self._path(key).open, "rb")
        except FileNotFoundError as error:
            raise BlobMissing(key) from error
        with source:
            if start:
                source.seek(start)
            left = None if end is None else end - start
            while left is None or left > 0:
                data = await asyncio.to_thread(source.read, CHUNK if left is None else min(CHUNK, left))
                if not data:
                    return
                if left is not None:
                    left -= len(data)
                yield data

    async def size(self, key: str) -> int | None:
        return await asyncio.to_thread(self._size, key)

    async def sizes(self, keys: Sequence[str]) -> list[int | None]:
        """Of many blobs at one change of thread."""
        return await asyncio.to_thread(lambda: [self._size(key) for key in keys])

    def _size(self, key: str) -> int | None:
        try:
            return self._path(key).stat().st_size
        except FileNotFoundError:
            return None

    async def delete(self, key: str) -> None:
        await asyncio.to_thread(self._path(key).unlink, missing_ok=True)

    async def list_keys(self, prefix: str) -> list[str]:
        return await asyncio.to_thread(self._list, prefix)

    def _list(self, prefix: str) -> list[str]:
        top = self._root / prefix
        return sorted(
            str(path.relative_to(self._root))
            for path in top.rglob("*")
            if path.is_file() and not path.name.startswith(".new-")
        )


class ObjectBlobs:
    """S3 and its kin. Credentials come from the usual AWS_* environment."""

    def __init__(self, url: str) -> None:
        import obstore  # noqa: PLC0415 - 15 MB of Rust that a local folder does not need
        from obstore.store import from_url  # noqa: PLC0415

        self._api = obstore
        self._store = from_url(url)

    def local_path(self, key: str) -> Path | None:
        return None

    async def put_bytes(self, key: str, data: bytes) -> None:
        await self._api.put_async(self._store, _checked(key), data)

    async def put_files(self, files: Mapping[str, Path]) -> None:
        limit = asyncio.Semaphore(8)

        async def put(key: str, path: Path) -> None:
            async with limit:
                await self._api.put_async(self._store, _checked(key), path)

        async with asyncio.TaskGroup() as group:
            for key, path in files.items():
                group.create_task(put(key, path))

    async def take_files(self, files: Mapping[str, Path]) -> None:
        await self.put_files(files)

    async def get_bytes(self, key: str) -> bytes:
        try:
            found = await self._api.get_async(self._store, _checked(key))
        except FileNotFoundError as error:
            raise BlobMissing(key) from error
        return bytes(await found.bytes_async())

    async def read_small(self, key: str, limit: int) -> tuple[int, bytes | None]:
        try:
            found = await self._api.get_async(self._store, _checked(key))
        except FileNotFoundError as error:
            raise BlobMissing(key) from error
        size = int(found.meta["size"])
        return size, bytes(await found.bytes_async()) if size <= limit else None

    async def stream(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        try:
            if start or end is not None:
                last = end if end is not None else await self.size(key)
                yield bytes(await self._api.get_range_async(self._store, _checked(key), start=start, end=last))
                return
            found = await self._api.get_async(self._store, _checked(key))
        except FileNotFoundError as error:
            raise BlobMissing(key) from error
        async for chunk in found.stream(min_chunk_size=CHUNK):
            yield bytes(chunk)

    async def size(self, key: str) -> int | None:
        try:
            meta = await self._api.head_async(self._store, _checked(key))
        except FileNotFoundError:
            return None
        return int(meta["size"])

    async def sizes(self, keys: Sequence[str]) -> list[int | None]:
        limit = asyncio.Semaphore(_ASKERS)

        async def size(key: str) -> int | None:
            async with limit:
                return await self.size(key)

        return await asyncio.gather(*map(size, keys))

    async def delete(self, key: str) -> None:
        try:
            await self._api.delete_async(self._store, _checked(key))
        except FileNotFoundError:
            return

    async def list_keys(self, prefix: str) -> list[str]:
        keys: list[str] = []
        async for page in self._api.list(self._store, prefix):
            keys.extend(str(item["path"]) for item in page)
        return sorted(keys)


def open_blobs(url: str) -> BlobStore:
    """The store at `file:///folder` or `s3://bucket/prefix`. Raises ValueError for anything else."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return LocalBlobs(Path(unquote(parts.path)))
    if parts.scheme == "s3":
        return ObjectBlobs(url)
    raise ValueError(f"LECTERN_BLOBS_URL must start with file:// or s3://, not {parts.scheme}://")
