"""An archive as an answer: conditional, in ranges, from a local folder or an object store."""

import re
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from common.blobs import BlobStore
from import_export.exports.models import Archive
from import_export.exports.schemas import ARCHIVE_TYPE

_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z")
# what a request may ask for: anything else is no range, and means the whole (RFC 9110, 14.2)
_RANGES = re.compile(r"\s*bytes\s*=\s*(?:\d{1,18}-\d{0,18}|-\d{1,18})(?:\s*,\s*(?:\d{1,18}-\d{0,18}|-\d{1,18}))*\s*\Z")
_BACKWARDS = re.compile(r"(\d+)-(\d+)")
_TAG = re.compile(r'(?:W/)?"([^"]*)"')


class ArchiveFile(FileResponse):
    """Few large reads: each costs a change of thread."""

    chunk_size = 1024 * 1024

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_range(Headers(scope=scope).get("range", "")):
            scope = {**scope, "headers": [field for field in scope["headers"] if field[0] != b"range"]}
        await super().__call__(scope, receive, send)


def _is_range(text: str) -> bool:
    if _RANGES.match(text) is None:
        return False
    return all(int(first) <= int(last) for first, last in _BACKWARDS.findall(text))


def is_known(request: Request, archive: Archive) -> bool:
    """Does the caller already have this archive, by `If-None-Match`?"""
    given = request.headers.get("if-none-match", "")
    return given.strip() == "*" or archive.etag in _TAG.findall(given)


def _headers(archive: Archive) -> dict[str, str]:
    plain = archive.filename.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_")
    disposition = f'attachment; filename="{plain}"'
    if plain != archive.filename:
        disposition += f"; filename*=UTF-8''{quote(archive.filename)}"
    return {
        "ETag": f'"{archive.etag}"',
        "Cache-Control": "private, no-cache",
        "Vary": "Accept",
        "Content-Disposition": disposition,
        "X-Content-Type-Options": "nosniff",
    }


async def send_archive(request: Request, blobs: BlobStore, archive: Archive) -> Response | None:
    """200, 206, 304 or 416; None when the bytes are gone."""
    headers = _headers(archive)
    if is_known(request, archive):
        return Response(None, 304, {name: headers[name] for name in ("ETag", "Cache-Control", "Vary")})
    if await blobs.size(archive.blob) != archive.size:
        return None
    path = blobs.local_path(archive.blob)
    if path is not None:
        return ArchiveFile(path, headers=headers, media_type=ARCHIVE_TYPE)
    return _stream(request, blobs, archive, headers | {"Accept-Ranges": "bytes"})


def _stream(request: Request, blobs: BlobStore, archive: Archive, headers: dict[str, str]) -> Response:
    """One range is served; several, or an unreadable one, mean the whole, as RFC 9110 allows."""
    asked = _RANGE.match(request.headers.get("range", ""))
    unchanged = request.headers.get("if-range", headers["ETag"]) == headers["ETag"]
    if not asked or not any(asked.groups()) or not unchanged:
        whole = headers | {"Content-Length": str(archive.size)}
        return StreamingResponse(blobs.stream(archive.blob), 200, whole, ARCHIVE_TYPE)
    first, last = asked.groups()
    start = int(first) if first else max(0, archive.size - int(last))
    end = min(archive.size, int(last) + 1) if first and last else archive.size
    if start >= end:
        return Response(None, 416, {"Content-Range": f"bytes */{archive.size}"})
    part = headers | {
        "Content-Range": f"bytes {start}-{end - 1}/{archive.size}",
        "Content-Length": str(end - start),
    }
    return StreamingResponse(blobs.stream(archive.blob, start, end), 206, part, ARCHIVE_TYPE)
