"""Serving uploaded files, and listing them for the team."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import orjson
import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from common.blobs import asset_key
from common.identity import Caller, CallerDep, request_base
from common.keys import AssetKey, CourseKey, InvalidKey
from common.resources import Resources
from content.access import Standing, find_standing, is_team, require_team, settle
from content.assets.errors import AssetNotFound, BadAssetKey
from content.assets.listing import print_asset, print_listing
from content.assets.pages import assets_page
from content.assets.queries import find_asset, find_legacy_asset, list_assets
from content.assets.serving import (
    Asset,
    Span,
    Unsatisfiable,
    headers_of,
    is_unchanged,
    range_applies,
    read_range,
)
from content.courses.errors import CourseNotFound
from content.courses.queries import get_course_key
from content.items.negotiation import in_either_form
from content.settings import Settings

router = APIRouter(tags=["assets"])
log = structlog.get_logger()
_SMALL = 1_000_000


@router.get("/asset-v1:{key:path}", summary="An uploaded file")
@router.head("/asset-v1:{key:path}", include_in_schema=False)
async def serve_asset(request: Request, key: str, caller: CallerDep) -> Response:
    """The file's bytes; of a locked one only for the learners and the team of the course."""
    try:
        asked = AssetKey.parse(f"asset-v1:{key}")
    except InvalidKey as error:
        raise BadAssetKey(f"{error}.") from error
    resources: Resources = request.state.resources
    course = asked.course
    asset = await find_asset(resources.pool, course, asked.name) if course and asked.type == "asset" else None
    if asset is None or course is None:
        raise AssetNotFound
    return await _serve(request, caller, course, asset)


@router.get("/c4x/{key:path}", summary="An uploaded file, at its address of 2012")
@router.head("/c4x/{key:path}", include_in_schema=False)
async def serve_legacy_asset(request: Request, key: str, caller: CallerDep) -> Response:
    """The same, for addresses that do not say the run."""
    try:
        asked = AssetKey.parse(f"/c4x/{key}")
    except InvalidKey as error:
        raise BadAssetKey(f"{error}.") from error
    resources: Resources = request.state.resources
    found = None
    if asked.legacy is not None and asked.type == "asset":
        found = await find_legacy_asset(resources.pool, *asked.legacy, asked.name)
    if found is None:
        raise AssetNotFound
    return await _serve(request, caller, *found)


async def _serve(request: Request, caller: Caller, course: CourseKey, asset: Asset) -> Response:
    resources: Resources = request.state.resources
    if asset.locked and not await _may_open(resources, caller, course):
        return PlainTextResponse("Unauthorized", 403, {"Vary": "Origin"})
    size = await resources.blobs.size(asset_key(asset.digest))
    if size is None:
        log.error("asset_bytes_missing", course_id=course.canonical, digest=asset.digest)
        raise AssetNotFound
    settings = resources.settings
    max_age = settings.asset_max_age if isinstance(settings, Settings) else 0
    headers = headers_of(asset, max_age=max_age, now=datetime.now(UTC))
    if is_unchanged(request.headers, headers["ETag"], headers["Last-Modified"]):
        return Response(status_code=304, headers={n: v for n, v in headers.items() if n != "Content-Type"})
    try:
        applies = range_applies(request.headers, headers["ETag"], headers["Last-Modified"])
        span = read_range(request.headers.get("range") if applies else None, size)
    except Unsatisfiable:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    headers["Content-Length"] = str(span.end - span.start)
    if span.partial:
        headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{size}"
    return await _body(request, asset, span, headers)


async def _body(request: Request, asset: Asset, span: Span, headers: dict[str, str]) -> Response:
    resources: Resources = request.state.resources
    status = 206 if span.partial else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    stream: AsyncIterator[bytes] = resources.blobs.stream(asset_key(asset.digest), span.start, span.end)
    if span.end - span.start <= _SMALL:
        return Response(b"".join([chunk async for chunk in stream]), status, headers)
    return StreamingResponse(stream, status, headers)


async def _may_open(resources: Resources, caller: Caller, course: CourseKey) -> bool:
    """Learners and the team; for an enrollment that may be on its way here is waited a moment."""

    def enough(standing: Standing | None) -> bool:
        return is_team(caller, standing, course) or (standing is not None and standing.is_enrolled)

    if caller.is_anonymous:
        return False
    return enough(await settle(resources.facts, lambda: find_standing(resources.pool, course, caller.user_id), enough))


@router.get("/assets/{place:path}", summary="A course's files")
@router.get("/api/content/v1/assets/{place:path}", summary="A course's files", operation_id="list_assets_v1")
async def read_assets(request: Request, place: str, caller: CallerDep) -> Response:
    """`…/{course}` is the list, `…/{course}/{asset}` one of them; for the team. JSON or a page."""
    resources: Resources = request.state.resources
    course, name = await _split(resources, place.strip("/"))

    async def opened() -> Standing:
        standing = await find_standing(resources.pool, course, caller.user_id)
        require_team(caller, standing, course)
        if standing is None:
            raise CourseNotFound
        return standing

    async def json() -> Response:
        await opened()
        base = request_base(request)
        if name is None:
            listed = await list_assets(resources.pool, course)
            return _json(print_listing(course, listed, request.query_params, base))
        asset = await find_asset(resources.pool, course, name)
        if asset is None:
            raise AssetNotFound
        return _json(print_asset(course, asset, base))

    async def html() -> str:
        standing = await opened()
        listed = await list_assets(resources.pool, course)
        assets = sorted((line.asset for line in listed), key=lambda asset: asset.display_name.lower())
        return assets_page(course, standing.spelling, assets, user=caller.username)

    return await in_either_form(request, caller, json=json, html=html)


async def _split(resources: Resources, place: str) -> tuple[CourseKey, str | None]:
    """The course, and the asset behind it if there is one, by name or by key."""
    name: str | None = None
    for mark in ("/asset-v1:", "//c4x/", "/c4x/"):
        place, found, rest = place.partition(mark)
        if found:
            try:
                name = AssetKey.parse(f"{mark[1:].removeprefix('/')}{rest}").name
            except InvalidKey as error:
                raise BadAssetKey(f"{error}.") from error
            break
    try:
        return await get_course_key(resources.pool, place), name
    except CourseNotFound:
        course, found, last = place.rpartition("/")
        if name is not None or not found:
            raise
        return await get_course_key(resources.pool, course), last


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
