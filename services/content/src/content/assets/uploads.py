"""Receiving a file: from the wire to a temporary file, never more of it in memory than one step."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from starlette.requests import Request

from content.assets.errors import BrokenForm, FileTooLarge, NoFile
from content.assets.names import content_type_of, display_name_of, name_of

_STEP: Final = 256 * 1024
# What a form may hold beside the file: boundaries, headers, fields that nobody reads.
_AROUND: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """A received file, on disk until the `async with` that gave it is left."""

    name: str
    display_name: str
    content_type: str
    path: Path
    size: int
    digest: str


class _Spool:
    """Writes and measures; refuses what is too large at the first byte too many."""

    def __init__(self, out: IO[bytes], *, limit: int, name: str | None) -> None:
        """Raises `BadFileName`."""
        self._out, self._limit = out, limit
        self._sha = hashlib.sha256()
        self.name = None if name is None else name_of(name)
        self.filename = self.name or ""
        self.size = 0

    def name_file(self, filename: str) -> None:
        """What the client calls the file. Raises `BadFileName`, before any of the file is read."""
        if self.name is None:
            name_of(filename)
        self.filename = filename or self.filename

    def write(self, data: bytes) -> None:
        """Raises `FileTooLarge`."""
        self.size += len(data)
        if self.size > self._limit:
            raise FileTooLarge(display_name_of(self.filename), self._limit)
        self._sha.update(data)
        self._out.write(data)

    @property
    def digest(self) -> str:
        return self._sha.hexdigest()


@asynccontextmanager
async def receive_form(
    request: Request, *, limit: int, name: str | None = None, only_file: bool = False
) -> AsyncIterator[Upload]:
    """The part `file` of the form in this request, called *name* if that is given, else what the part says.

    Raises `NoFile`, `BrokenForm`, `SeveralFiles`, `BadFileName`, `FileTooLarge`; `UnexpectedField` if *only_file*.
    """
    from content.assets.forms import FileForm  # noqa: PLC0415 - needed by forms alone; see there

    with tempfile.NamedTemporaryFile(prefix="asset-") as out:
        spool = _Spool(out, limit=limit, name=name)
        form = await asyncio.to_thread(
            lambda: FileForm(
                request.headers["content-type"], name_file=spool.name_file, write=spool.write, only_file=only_file
            )
        )
        received = 0
        async for data in _steps(request):
            received += len(data)
            if received > limit + _AROUND:
                if spool.size > limit:
                    raise FileTooLarge(display_name_of(spool.filename), limit)
                raise BrokenForm("The form holds too much beside the file.")
            await asyncio.to_thread(form.feed, data)
        said = form.finish()
        if said is None:
            raise NoFile
        yield await _received(out, spool, said)


@asynccontextmanager
async def receive_body(request: Request, *, limit: int, name: str) -> AsyncIterator[Upload]:
    """The body of this request, which is the file called *name*. Raises `BadFileName`, `FileTooLarge`."""
    with tempfile.NamedTemporaryFile(prefix="asset-") as out:
        spool = _Spool(out, limit=limit, name=name)
        async for data in _steps(request):
            await asyncio.to_thread(spool.write, data)
        yield await _received(out, spool, request.headers.get("content-type", ""), guess=True)


async def _received(out: IO[bytes], spool: _Spool, said: str, *, guess: bool = False) -> Upload:
    await asyncio.to_thread(out.flush)
    key = spool.name or name_of(spool.filename)
    return Upload(
        key,
        display_name_of(spool.filename),
        content_type_of(said, key, guess=guess),
        Path(out.name),
        spool.size,
        spool.digest,
    )


async def _steps(request: Request) -> AsyncIterator[bytes]:
    """The body in pieces worth a change of thread."""
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) >= _STEP:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)
