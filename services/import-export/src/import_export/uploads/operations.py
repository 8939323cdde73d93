"""Stream a request's body to a spool file, never more of it in memory than one step."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path
from typing import IO, Literal, Protocol

from starlette.requests import Request

from import_export.settings import Settings
from import_export.spool import spool_folder
from import_export.uploads.errors import (
    EmptyUpload,
    MissingFile,
    NotAnArchive,
    UnsupportedUpload,
    UploadTooLarge,
    WrongFormat,
)

FILE_FIELDS = ("course_data", "course-data", "file")
SUFFIXES = (".tar.gz", ".tgz", ".zip")
RAW_TYPES = frozenset(
    {
        "application/x-tgz",
        "application/tar+gzip",
        "application/gzip",
        "application/x-gzip",
        "application/x-gtar",
        "application/x-tar",
        "application/zip",
        "application/octet-stream",
    }
)
STEP = 512 * 1024
ArchiveKind = Literal["gzip", "tar", "zip"]


@dataclass(frozen=True, slots=True)
class Upload:
    """A received file, on disk until the `async with` that gave it is left; `filename` may be empty."""

    path: Path
    filename: str
    size: int
    digest: str
    fields: Mapping[str, str]
    head: bytes = b""


class Form(Protocol):
    """What `import_export.uploads.forms` reads a multipart body with."""

    def feed(self, data: bytes) -> None: ...
    def finish(self) -> str | None: ...
    def fields(self) -> Mapping[str, str]: ...


class Spool:
    """Writes and measures; refuses what is too large at the first byte too many."""

    def __init__(self, out: IO[bytes], *, limit: int) -> None:
        self._out, self._limit = out, limit
        self._sha = hashlib.sha256()
        self.size = 0
        self.head = b""

    def write(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > self._limit:
            raise UploadTooLarge(f"The uploaded archive is larger than {self._limit} bytes.")
        if len(self.head) < 512:
            self.head += bytes(data[: 512 - len(self.head)])
        self._sha.update(data)
        self._out.write(data)

    @property
    def digest(self) -> str:
        return self._sha.hexdigest()


def kind_of(head: bytes) -> ArchiveKind:
    """What the first 512 bytes say. Raises `NotAnArchive`."""
    if head[:2] == b"\x1f\x8b":
        return "gzip"
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "zip"
    if head[257:262] == b"ustar":
        return "tar"
    raise NotAnArchive


def printable(name: str) -> str:
    """The last part of what the client calls its file, without what cannot be shown."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(character for character in last if character.isprintable()).strip()[-255:]


def clean_filename(name: str) -> str:
    """The name an archive is kept by. Raises `WrongFormat` for another kind of file."""
    cleaned = printable(name)
    if not cleaned.lower().endswith(SUFFIXES):
        raise WrongFormat
    return cleaned


@asynccontextmanager
async def receive_body(
    request: Request, settings: Settings, *, form_names: Sequence[str] = ()
) -> AsyncIterator[Upload]:
    """The file in this request, whole archive or part of one, with the form fields of these names.

    Raises the refusals of `import_export.uploads.errors`.
    """
    media = EmailMessage()
    media["content-type"] = request.headers.get("content-type") or "application/octet-stream"
    length = request.headers.get("content-length", "")
    # a form is somewhat longer than the file in it; the exact measure is taken while it streams
    if length.isdecimal() and int(length) > settings.max_upload_bytes + 1024 * 1024:
        raise UploadTooLarge(f"The uploaded archive is larger than {settings.max_upload_bytes} bytes.")
    with spool_folder(settings, "upload-") as folder:
        path = folder / "file"
        with path.open("wb") as out:
            spool = Spool(out, limit=settings.max_upload_bytes)
            if media.get_content_type() == "multipart/form-data":
                filename, fields = await _receive_form(request, spool, form_names)
            elif media.get_content_type() in RAW_TYPES:
                filename, fields = await _receive_raw(request, spool)
            else:
                raise UnsupportedUpload(" ".join((UnsupportedUpload.__doc__ or "").split()))
        yield Upload(path, filename, spool.size, spool.digest, fields, spool.head)


def as_archive(upload: Upload) -> Upload:
    """The upload under the name it is kept by. Raises `EmptyUpload`, `NotAnArchive`, `WrongFormat`."""
    if upload.size == 0:
        raise EmptyUpload
    kind = kind_of(upload.head)
    return replace(upload, filename=clean_filename(upload.filename or default_filename(kind)))


def default_filename(kind: ArchiveKind = "gzip") -> str:
    return "course.zip" if kind == "zip" else "course.tar.gz"


async def _steps(request: Request) -> AsyncIterator[bytes]:
    """The body in pieces worth a change of thread."""
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) >= STEP:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)


async def _receive_raw(request: Request, spool: Spool) -> tuple[str, Mapping[str, str]]:
    async for data in _steps(request):
        await asyncio.to_thread(spool.write, data)
    disposition = EmailMessage()
    disposition["content-disposition"] = request.headers.get("content-disposition") or "attachment"
    return request.query_params.get("filename") or disposition.get_filename() or "", {}


async def _receive_form(request: Request, spool: Spool, form_names: Sequence[str]) -> tuple[str, Mapping[str, str]]:
    form = await asyncio.to_thread(_open_form, request.headers["content-type"], spool, tuple(form_names))
    async for data in _steps(request):
        await asyncio.to_thread(form.feed, data)
    filename = form.finish()
    if filename is None:
        raise MissingFile
    if not filename:
        raise WrongFormat
    return filename, form.fields()


def _open_form(content_type: str, spool: Spool, form_names: tuple[str, ...]) -> Form:
    from import_export.uploads.forms import MultipartForm  # noqa: PLC0415 - needed by forms alone; see there

    return MultipartForm(content_type, spool, files=FILE_FIELDS, names=form_names)
