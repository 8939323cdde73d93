"""Receiving a file: from the wire to a spool file, never more of it in memory than one step."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Final, Protocol

from starlette.requests import Request

from common.errors import Invalid

_STEP: Final = 256 * 1024
Write = Callable[[bytes], None]


class SeveralFiles(Invalid):
    """One file at a time: the form holds several."""

    code = "several_files"


class BrokenForm(Invalid):
    """The multipart form is cut short or malformed."""

    code = "malformed_form"


class UnexpectedPart(Exception):
    """A form that may hold nothing but its file holds a part of this name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


class Spool:
    """Writes and measures; refuses what is too large at the first byte too many."""

    def __init__(self, out: IO[bytes], *, limit: int, refuse: Callable[[], Exception]) -> None:
        self._out, self._limit, self._refuse = out, limit, refuse
        self._sha = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Raises what *refuse* gives."""
        self.size += len(data)
        if self.size > self._limit:
            raise self._refuse()
        self._sha.update(data)
        self._out.write(data)

    @property
    def digest(self) -> str:
        return self._sha.hexdigest()


@dataclass(frozen=True, slots=True)
class FormFile:
    """What a form says about the file in it; both may be empty."""

    name: str
    content_type: str


class Form(Protocol):
    """What `common.forms` reads a multipart body with."""

    def feed(self, data: bytes) -> None:
        """Raises `BrokenForm`, `SeveralFiles`, `UnexpectedPart`, and what the sink raises."""

    def finish(self) -> FormFile | None:
        """The file; None when there is none in the form. Raises `BrokenForm`."""

    def fields(self) -> Mapping[str, str]: ...


async def open_form(
    request: Request,
    write: Write,
    *,
    files: Sequence[str] = ("file",),
    fields: Sequence[str] = (),
    named: Callable[[str], None] | None = None,
    only_file: bool = False,
) -> Form:
    """A reader of the form in this request, whose file, under any one of the names *files*, goes to *write*.

    *named* hears the file's name before *write* its bytes; *fields* are the short texts to keep. Raises `BrokenForm`.
    """

    def make() -> Form:
        from common.forms import MultipartForm  # noqa: PLC0415 - needed by forms alone; see there

        content_type = request.headers.get("content-type", "")
        return MultipartForm(content_type, write, files=files, fields=fields, named=named, only_file=only_file)

    return await asyncio.to_thread(make)


async def steps(request: Request) -> AsyncIterator[bytes]:
    """The body in pieces worth a change of thread."""
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) >= _STEP:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)
