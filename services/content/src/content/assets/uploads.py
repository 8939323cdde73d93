"""Receiving a file: from the wire to a temporary file, never more of it in memory than one step."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from starlette.requests import Request

from common.uploads import BrokenForm, Spool, UnexpectedPart, open_form, steps
from content.assets.errors import FileTooLarge, NoFile, UnexpectedField
from content.assets.names import content_type_of, display_name_of, name_of

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


class _Naming:
    """What the file is called, as far as that is known while it arrives."""

    def __init__(self, name: str | None) -> None:
        """Raises `BadFileName`."""
        self._name = None if name is None else name_of(name)
        self.filename = self._name or ""

    def hear(self, filename: str) -> None:
        """What the client calls the file. Raises `BadFileName`, before any of the file is read."""
        if self._name is None:
            name_of(filename)
        self.filename = filename or self.filename

    @property
    def name(self) -> str:
        return self._name or name_of(self.filename)


@asynccontextmanager
async def receive_form(
    request: Request, *, limit: int, name: str | None = None, only_file: bool = False
) -> AsyncIterator[Upload]:
    """The part `file` of the form in this request, called *name* if that is given, else what the part says.

    Raises `NoFile`, `BrokenForm`, `SeveralFiles`, `BadFileName`, `FileTooLarge`; `UnexpectedField` if *only_file*.
    """
    with tempfile.NamedTemporaryFile(prefix="asset-") as out:
        naming = _Naming(name)

        def too_large() -> FileTooLarge:
            return FileTooLarge(display_name_of(naming.filename), limit)

        spool = Spool(out, limit=limit, refuse=too_large)
        form = await open_form(request, spool.write, named=naming.hear, only_file=only_file)
        received = 0
        async for data in steps(request):
            received += len(data)
            if received > limit + _AROUND:
                raise too_large() if spool.size > limit else BrokenForm("The form holds too much beside the file.")
            try:
                await asyncio.to_thread(form.feed, data)
            except UnexpectedPart as part:
                raise UnexpectedField(part.name) from part
        said = form.finish()
        if said is None:
            raise NoFile
        yield await _received(out, spool, naming, said.content_type)


@asynccontextmanager
async def receive_body(request: Request, *, limit: int, name: str) -> AsyncIterator[Upload]:
    """The body of this request, which is the file called *name*. Raises `BadFileName`, `FileTooLarge`."""
    with tempfile.NamedTemporaryFile(prefix="asset-") as out:
        naming = _Naming(name)
        spool = Spool(out, limit=limit, refuse=lambda: FileTooLarge(display_name_of(naming.filename), limit))
        async for data in steps(request):
            await asyncio.to_thread(spool.write, data)
        yield await _received(out, spool, naming, request.headers.get("content-type", ""), guess=True)


async def _received(out: IO[bytes], spool: Spool, naming: _Naming, said: str, *, guess: bool = False) -> Upload:
    await asyncio.to_thread(out.flush)
    return Upload(
        naming.name,
        display_name_of(naming.filename),
        content_type_of(said, naming.name, guess=guess),
        Path(out.name),
        spool.size,
        spool.digest,
    )
