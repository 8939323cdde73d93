"""Stream a request's body to a spool file, never more of it in memory than one step."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path
from typing import IO, Literal

from starlette.requests import Request

from common.uploads import Spool, open_form, steps
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
_HEAD = 512
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


class ArchiveSpool(Spool):
    """Keeps the beginning, which says what kind of archive it is."""

    def __init__(self, out: IO[bytes], *, limit: int) -> None:
        super().__init__(out, limit=limit, refuse=lambda: too_large(limit))
        self.head = b""

    def write(self, data: bytes) -> None:
        super().write(data)
        if len(self.head) < _HEAD:
            self.head += bytes(data[: _HEAD - len(self.head)])


def too_large(limit: int) -> UploadTooLarge:
    return UploadTooLarge(f"The uploaded archive is larger than {limit} bytes.")


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
        raise too_large(settings.max_upload_bytes)
    with spool_folder(settings, "upload-") as folder:
        path = folder / "file"
        with path.open("wb") as out:
            spool = ArchiveSpool(out, limit=settings.max_upload_bytes)
            if media.get_content_type() == "multipart/form-data":
                filename, fields = await _receive_form(request, spool, form_names)
            elif media.get_content_type() in RAW_TYPES:
                filename, fields = await _receive_raw(request, spool)
            elif media.get_content_type() == "application/x-www-form-urlencoded":
                raise MissingFile  # a form without a file, as clients encode it
            else:
                raise UnsupportedUpload(" ".join((UnsupportedUpload.__doc__ or "").split()))
        if not spool.size and not {"content-type", "content-range"} & set(request.headers):
            raise MissingFile
        yield Upload(path, filename, spool.size, spool.digest, fields, spool.head)


def as_archive(upload: Upload) -> Upload:
    """The upload under the name it is kept by. Raises `EmptyUpload`, `NotAnArchive`, `WrongFormat`.

    What is named like an archive and is none is found out where it is read, and told in the report.
    """
    if upload.size == 0:
        raise EmptyUpload
    return replace(upload, filename=clean_filename(upload.filename or default_filename(kind_of(upload.head))))


def default_filename(kind: ArchiveKind = "gzip") -> str:
    return "course.zip" if kind == "zip" else "course.tar.gz"


async def _receive_raw(request: Request, spool: Spool) -> tuple[str, Mapping[str, str]]:
    async for data in steps(request):
        await asyncio.to_thread(spool.write, data)
    disposition = EmailMessage()
    disposition["content-disposition"] = request.headers.get("content-disposition") or "attachment"
    return request.query_params.get("filename") or disposition.get_filename() or "", {}


async def _receive_form(request: Request, spool: Spool, form_names: Sequence[str]) -> tuple[str, Mapping[str, str]]:
    form = await open_form(request, spool.write, files=FILE_FIELDS, fields=form_names)
    async for data in steps(request):
        await asyncio.to_thread(form.feed, data)
    found = form.finish()
    if found is None:
        raise MissingFile
    if not found.name:
        raise WrongFormat
    return found.name, form.fields()
