"""Receive a file of any length: to a spool file, read once for defects, then to the blob store."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Final

from starlette.requests import Request

from common.uploads import Spool, open_form, steps
from enrollment.jobs.errors import FileMissing, FileTooLarge, UnknownFileType
from enrollment.jobs.models import Format

_TYPES: Final = {
    "text/csv": Format.CSV,
    "application/csv": Format.CSV,
    "application/json": Format.JSON,
    "application/x-ndjson": Format.JSON,
    "application/ndjson": Format.JSON,
}


@dataclass(frozen=True, slots=True)
class Upload:
    """A received file, on disk until the `async with` that gave it is left."""

    path: Path
    format: Format
    digest: str


@asynccontextmanager
async def receive(request: Request, *, limit: int) -> AsyncIterator[Upload]:
    """The request's file. Raises `UnknownFileType`, `FileMissing`, `FileTooLarge`, `BrokenForm`, `SeveralFiles`."""
    given = request.headers.get("content-type", "")
    media = EmailMessage()
    media["content-type"] = given or "application/octet-stream"
    content_type = media.get_content_type()
    with tempfile.NamedTemporaryFile(prefix="lectern-job-") as out:
        spool = Spool(out, limit=limit, refuse=lambda: FileTooLarge(f"The file is larger than {limit} bytes."))
        if content_type == "multipart/form-data":
            format_ = await _receive_form(request, spool)
        elif content_type in _TYPES:
            format_ = _TYPES[content_type]
            async for data in steps(request):
                await asyncio.to_thread(spool.write, data)
        else:
            raise UnknownFileType
        await asyncio.to_thread(out.flush)
        yield Upload(Path(out.name), format_, spool.digest)


async def _receive_form(request: Request, spool: Spool) -> Format:
    form = await open_form(request, spool.write)
    async for data in steps(request):
        await asyncio.to_thread(form.feed, data)
    found = form.finish()
    if found is None:
        raise FileMissing
    name, part_type = found.name, found.content_type
    if name.lower().endswith((".json", ".ndjson", ".jsonl")):
        return Format.JSON
    if name.lower().endswith(".csv") or part_type in ("", "application/octet-stream", "text/plain"):
        return Format.CSV
    if part_type in _TYPES:
        return _TYPES[part_type]
    raise UnknownFileType
