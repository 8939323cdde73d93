"""The bytes of uploaded files and of their thumbnails."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import unquote

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from common.app import raw_path
from common.blobs import BlobMissing, asset_key
from common.identity import Caller, CallerDep
from common.keys import AssetKey, CourseKey, InvalidKey
from common.resources import Resources
from content.access import Standing, find_standing, is_team, settle
from content.addresses import in_header
from content.assets.errors import AssetNotFound, BadAssetKey
from content.assets.queries import find_asset, find_legacy_asset
from content.assets.serving import (
    Asset,
    Span,
    Unsatisfiable,
    headers_of,
    is_unchanged,
    range_applies,
    read_range,
    versioned_path,
)
from content.settings import Settings
from content.thumbnails.models import JPEG, is_drawn, is_its_own, originals_of, thumbnail_name
from content.thumbnails.operations import draw_thumbnail
from content.thumbnails.queries import find_thumbnail

router = APIRouter()
log = structlog.get_logger()
_SMALL = 1_000_000
_THUMBNAIL = "thumbnail"
_LETTERS = re.compile(r"(?:%[89A-Fa-f][0-9A-Fa-f])+")
_VERSIONED = re.compile(r"/assets/courseware/(?:v1/)?([^/]+)/(asset-v1:.*|c4x/.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Found:
    """What an address leads to: a file as it is stored, or *data*, a picture drawn of one."""

    course: CourseKey
    asset: Asset
    key: AssetKey
    data: bytes | None = None


@router.get("/asset-v1:{key:path}", summary="An uploaded file")
@router.head("/asset-v1:{key:path}", include_in_schema=False)
async def serve_asset(request: Request, key: str, caller: CallerDep) -> Response:
    """The file's bytes; of a locked one only for the learners and the team of the course."""
    found = await _find(request, [f"asset-v1:{key}", _as_written(request).removeprefix("/")])
    return await _serve(request, caller, found)


@router.get("/c4x/{key:path}", summary="An uploaded file, at its address of 2012")
@router.head("/c4x/{key:path}", include_in_schema=False)
async def serve_legacy_asset(request: Request, key: str, caller: CallerDep) -> Response:
    """The same, for addresses that do not say the run."""
    found = await _find(request, [f"/c4x/{key}", _as_written(request)])
    return await _serve(request, caller, found)


@router.get("/assets/courseware/v1/{digest}/{key:path}", summary="An uploaded file, its bytes named")
@router.head("/assets/courseware/v1/{digest}/{key:path}", include_in_schema=False)
@router.get("/assets/courseware/{digest}/asset-v1:{key:path}", summary="An uploaded file, its bytes named (older form)")
@router.head("/assets/courseware/{digest}/asset-v1:{key:path}", include_in_schema=False)
@router.get("/assets/courseware/{digest}/c4x/{key:path}", include_in_schema=False)
@router.head("/assets/courseware/{digest}/c4x/{key:path}", include_in_schema=False)
async def serve_versioned_asset(request: Request, digest: str, caller: CallerDep) -> Response:
    """The file's bytes, to be kept for ever; under a digest that is not (or no longer) the file's, the way there."""
    asked = _VERSIONED.fullmatch(request.scope["path"])
    if asked is None:
        raise BadAssetKey("The address does not say which file it means.")
    raw = _VERSIONED.fullmatch(_as_written(request))
    found = await _find(request, [match[2] for match in (asked, raw) if match])
    if digest == found.asset.digest:
        return await _serve(request, caller, found, immutable=True)
    if not await _is_open(request, caller, found):
        return _refused()
    place = in_header(versioned_path(found.asset.digest, found.key))
    caching = "private, no-cache, no-store" if found.asset.locked else "public, max-age=60"
    return Response(status_code=301, headers={"Location": place, "Cache-Control": caching, "Vary": "Origin"})


def _as_written(request: Request) -> str:
    """The path of a client that escapes letters but not percent signs, as browsers do with addresses in pages."""
    return _LETTERS.sub(lambda match: unquote(match[0]), raw_path(request))


async def _find(request: Request, spellings: list[str]) -> _Found:
    """The file under the first spelling that is a key: as decoded, and as written, since names may hold a `%`.

    Raises `BadAssetKey`, `AssetNotFound`.
    """
    resources: Resources = request.state.resources
    keys: list[AssetKey] = []
    refusal: InvalidKey | None = None
    for spelling in dict.fromkeys(spellings):
        try:
            keys.append(AssetKey.parse(spelling))
        except InvalidKey as error:
            refusal = refusal or error
    if not keys:
        raise BadAssetKey(f"{refusal}.") from refusal
    first = keys[0]
    is_thumbnail = first.type == _THUMBNAIL
    if first.type != "asset" and not is_thumbnail:
        raise AssetNotFound
    names = [name for key in keys for name in (originals_of(key.name) if is_thumbnail else [key.name])]
    if first.course is not None:
        found = await find_asset(resources.pool, first.course, *names)
    elif first.legacy is not None:
        found = await find_legacy_asset(resources.pool, *first.legacy, *names)
    else:
        found = None
    if found is None:
        raise AssetNotFound
    course, asset = found
    if not is_thumbnail:
        return _Found(course, asset, course.asset(asset.name))
    name = thumbnail_name(asset.name, asset.content_type)
    key = AssetKey(course, name, _THUMBNAIL)
    if name not in {key.name for key in keys}:
        raise AssetNotFound
    if is_its_own(asset.content_type):
        return _Found(course, asset, key)
    data = await _thumbnail(request, asset)
    return _Found(course, replace(asset, digest=f"{asset.digest}-small", content_type=JPEG, name=name), key, data)


async def _thumbnail(request: Request, asset: Asset) -> bytes:
    """Drawn now if the background has not come to it yet. Raises `AssetNotFound` for what is no picture."""
    resources: Resources = request.state.resources
    if not is_drawn(asset.content_type):
        raise AssetNotFound
    drawn = await find_thumbnail(resources.pool, asset.digest) or await draw_thumbnail(
        resources.pool, resources.blobs, asset.digest, request.app.state.drawing
    )
    if drawn.data is None:
        raise AssetNotFound
    return drawn.data


async def _serve(request: Request, caller: Caller, found: _Found, *, immutable: bool = False) -> Response:
    if not await _is_open(request, caller, found):
        return _refused()
    settings = request.state.resources.settings
    max_age = settings.asset_max_age if isinstance(settings, Settings) else 0
    headers = headers_of(found.asset, max_age=max_age, now=datetime.now(UTC), immutable=immutable)
    if is_unchanged(request.headers, headers["ETag"], headers["Last-Modified"]):
        return Response(status_code=304, headers={n: v for n, v in headers.items() if n != "Content-Type"})
    size, data = await _open(request, found)
    try:
        applies = range_applies(request.headers, headers["ETag"], headers["Last-Modified"])
        span = read_range(request.headers.get("range") if applies else None, size)
    except Unsatisfiable:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    headers["Content-Length"] = str(span.end - span.start)
    if span.partial:
        headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{size}"
    return _body(request, found, span, headers, data)


async def _open(request: Request, found: _Found) -> tuple[int, bytes | None]:
    """How long the file is, and all of it when it is small and wanted."""
    if found.data is not None:
        return len(found.data), found.data
    resources: Resources = request.state.resources
    limit = 0 if request.method == "HEAD" else _SMALL
    try:
        return await resources.blobs.read_small(asset_key(found.asset.digest), limit)
    except BlobMissing as error:
        log.error("asset_bytes_missing", course_id=found.course.canonical, digest=found.asset.digest)
        raise AssetNotFound from error


def _body(request: Request, found: _Found, span: Span, headers: dict[str, str], data: bytes | None) -> Response:
    status = 206 if span.partial else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    if data is not None:
        return Response(data[span.start : span.end] if span.partial else data, status, headers)
    resources: Resources = request.state.resources
    stream: AsyncIterator[bytes] = resources.blobs.stream(asset_key(found.asset.digest), span.start, span.end)
    return StreamingResponse(stream, status, headers)


def _refused() -> Response:
    return PlainTextResponse("Unauthorized", 403, {"Vary": "Origin", "Cache-Control": "private, no-cache, no-store"})


async def _is_open(request: Request, caller: Caller, found: _Found) -> bool:
    """To anyone, or to learners and the team; for an enrollment that may be on its way here is waited a moment."""
    if not found.asset.locked:
        return True
    resources: Resources = request.state.resources

    def enough(standing: Standing | None) -> bool:
        return is_team(caller, standing, found.course) or (standing is not None and standing.is_enrolled)

    if caller.is_anonymous:
        return False
    return enough(
        await settle(resources.facts, lambda: find_standing(resources.pool, found.course, caller.user_id), enough)
    )
