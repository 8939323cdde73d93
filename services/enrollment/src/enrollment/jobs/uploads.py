"""Receive a file of any length: to a spool file, read once for defects, then to the blob store."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import IO, Final, Protocol

from starlette.requests import Request

from enrollment.jobs.errors import BadFile, FileMissing, FileTooLarge, UnknownFileType
from enrollment.jobs.models import Format

_TYPES: Final = {
    "text/csv": Format.CSV,
    "application/csv": Format.CSV,
    "application/json": Format.JSON,
    "application/x-ndjson": Format.JSON,
    "application/ndjson": Format.JSON,
}
_STEP: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """A received file, on disk until the `async with` that gave it is left."""

    path: Path
    format: Format
    digest: str


class Spool:
    """Writes and measures; refuses what is too large at the first byte too many."""

    def __init__(self, out: IO[bytes], *, limit: int) -> None:
        self._out, self._limit, self._size = out, limit, 0
        self._sha = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            raise FileTooLarge(f"The file is larger than {self._limit} bytes.")
        self._sha.update(data)
        self._out.write(data)

    @property
    def digest(self) -> str:
        return self._sha.hexdigest()


class _Form(Protocol):
    def feed(self, data: bytes) -> None: ...
    def finish(self) -> tuple[str, str] | None: ...


@asynccontextmanager
async def receive(request: Request, *, limit: int) -> AsyncIterator[Upload]:
    """The request's file. Raises `UnknownFileType`, `FileMissing`, `FileTooLarge`, `BadFile`."""
    given = request.headers.get("content-type", "")
    media = EmailMessage()
    media["content-type"] = given or "application/octet-stream"
    content_type = media.get_content_type()
    with tempfile.NamedTemporaryFile(prefix="lectern-job-") as out:
        spool = Spool(out, limit=limit)
        if content_type == "multipart/form-data":
            format_ = await _receive_form(request, given, spool)
        elif content_type in _TYPES:
            format_ = _TYPES[content_type]
            async for data in _steps(request):
                await asyncio.to_thread(spool.write, data)
        else:
            raise UnknownFileType
        await asyncio.to_thread(out.flush)
        yield Upload(Path(out.name), format_, spool.digest)


async def _steps(request: Request) -> AsyncIterator[bytes]:
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) >= _STEP:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


async def _receive_form(request: Request, content_type: str, spool: Spool) -> Format:
    form = await asyncio.to_thread(_open_form, content_type, spool)
    async for data in _steps(request):
        await asyncio.to_thread(form.feed, data)
    found = form.finish()
    if found is None:
        raise FileMissing
    name, part_type = found
    if name.lower().endswith((".json", ".ndjson", ".jsonl")):
        return Format.JSON
    if name.lower().endswith(".csv") or part_type in ("", "application/octet-stream", "text/plain"):
        return Format.CSV
    if part_type in _TYPES:
        return _TYPES[part_type]
    raise UnknownFileType


def _open_form(content_type: str, spool: Spool) -> _Form:
    from enrollment.jobs.forms import FileForm  # noqa: PLC0415 - needed by forms alone; see there

    try:
        return FileForm(content_type, spool)
    except ValueError as error:
        raise BadFile("The form cannot be read.") from error
