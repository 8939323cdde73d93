"""Uploading, locking and deleting files: Studio's handler, REST v0, and the same at our own addresses."""

import asyncio
from collections.abc import Callable
from typing import Final

import orjson
from fastapi import APIRouter
from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from common.database import WriteSession, raw
from common.errors import Invalid, NotAcceptable, NotFound, Unauthorized, UnsupportedMediaType
from common.identity import Caller, CallerDep, request_base
from common.keys import CourseKey
from common.pages import prefers_html
from common.resources import Resources
from content.access import find_standing, require_team
from content.addresses import in_header
from content.assets import operations
from content.assets.errors import AssetNotFound, BadLock, NoFile
from content.assets.listing import print_asset
from content.assets.places import find_course_and_name
from content.assets.queries import Listing, find_listing
from content.assets.uploads import Upload, receive_body, receive_form
from content.bodies import NotJson, if_match, read_object
from content.courses.errors import CourseNotFound
from content.once import OWN, once
from content.settings import Settings
from content.versions.editing import Saved
from content.versions.errors import CourseGone

router = APIRouter()
_MAX_LOCK: Final = 100_000
_STUDIO: Final = "/assets/"
_LOCK: Final = {"type": "object", "properties": {"locked": {"type": "boolean"}}, "required": ["locked"]}
_FORM: Final = {
    "type": "object",
    "properties": {"file": {"type": "string", "format": "binary"}},
    "required": ["file"],
}


def _accepts(**schemas: object) -> dict[str, object]:
    names = {"form": "multipart/form-data", "lock": "application/json", "raw": "*/*"}
    content = {names[name]: {"schema": schema} for name, schema in schemas.items()}
    return {"requestBody": {"required": True, "content": content}}


_UPLOAD_OR_LOCK: Final = _accepts(form=_FORM, lock=_LOCK)


@router.post("/assets/{place:path}", summary="Upload a file, or lock one", openapi_extra=_UPLOAD_OR_LOCK)
@router.put("/assets/{place:path}", summary="Upload a file, or lock one", openapi_extra=_UPLOAD_OR_LOCK)
@router.post("/api/content/v1/assets/{place:path}", summary="Upload a file, or lock one", status_code=201,
             openapi_extra=_UPLOAD_OR_LOCK)  # fmt: skip
async def write_asset(request: Request, session: WriteSession, caller: CallerDep, place: str) -> Response:
    """A form with the part `file` uploads it; JSON with `locked`, at the address of a file, locks or unlocks that."""
    course, name = await _open(request, session, caller, place)
    if _media(request) == "multipart/form-data":
        return await _upload(request, session, caller, course, name)
    return await _lock(request, session, caller, course, name)


@router.put("/api/content/v1/assets/{place:path}", summary="Put a file in its place, or lock one",
            openapi_extra=_accepts(raw={"type": "string", "format": "binary"}, form=_FORM, lock=_LOCK))  # fmt: skip
async def put_asset(request: Request, session: WriteSession, caller: CallerDep, place: str) -> Response:
    """The body becomes the file at this address (201 when it is new). JSON with `locked` locks or unlocks it; a file
    that is JSON goes in a form, or as `application/octet-stream`, whose type is told from the name.
    """
    course, name = await _open(request, session, caller, place)
    media = _media(request)
    if media == "multipart/form-data":
        return await _upload(request, session, caller, course, name)
    if media == "application/json" or name is None:
        return await _lock(request, session, caller, course, name)
    async with receive_body(request, limit=_limit(request), name=name) as upload:
        return await _keep(request, session, caller, course, upload)


@router.delete("/assets/{place:path}", summary="Delete a file", status_code=204)
@router.delete("/api/content/v1/assets/{place:path}", summary="Delete a file", status_code=204)
@router.delete("/api/contentstore/v0/file_assets/{place:path}", summary="Delete a file (REST v0)", status_code=204)
async def delete_asset(request: Request, session: WriteSession, caller: CallerDep, place: str) -> Response:
    """Older versions of the course keep the file."""
    course, name = await _open(request, session, caller, place)
    if name is None:
        raise Invalid("The address names no file to delete.", code="no_file_named")
    try:
        saved = await operations.delete_asset(session, caller, course, name, if_match=if_match(request))
    except AssetNotFound as refusal:
        raise AssetNotFound(body="") from refusal
    return Response(status_code=204, headers=_etag(saved))


@router.post("/api/contentstore/v0/file_assets/{place:path}", summary="Upload a file (REST v0)",
             openapi_extra=_accepts(form=_FORM))  # fmt: skip
async def upload_file_asset(request: Request, session: WriteSession, caller: CallerDep, place: str) -> Response:
    """A form with the part `file`, and no other."""
    course, name = await _open(request, session, caller, place)
    if _media(request) != "multipart/form-data":
        raise NoFile
    return await _upload(request, session, caller, course, name, only_file=True)


@router.put("/api/contentstore/v0/file_assets/{place:path}", summary="Lock a file (REST v0)",
            openapi_extra=_accepts(lock=_LOCK))  # fmt: skip
async def lock_file_asset(request: Request, session: WriteSession, caller: CallerDep, place: str) -> Response:
    """`{"locked": true}`, and nothing else."""
    course, name = await _open(request, session, caller, place)
    return await _lock(request, session, caller, course, name, check=_refuse_unknown)


async def _open(request: Request, session: AsyncSession, caller: Caller, place: str) -> tuple[CourseKey, str | None]:
    """Which course and file are meant, once it is clear that the caller may change them: before any body is read.

    Raises `Unauthorized`, `NotOnTeam`, `CourseNotFound` (400 without a body to uploads), and what a bad address raises.
    """
    if request.url.path.startswith(_STUDIO):
        try:
            if prefers_html(request):
                raise NotFound
        except NotAcceptable as refusal:
            raise NotFound from refusal
    if caller.is_anonymous:
        raise Unauthorized
    resources: Resources = request.state.resources
    try:
        course, name = await find_course_and_name(resources.pool, place)
        standing = await find_standing(resources.pool, course, caller.user_id)
        if standing is None:
            raise CourseNotFound
    except CourseNotFound as refusal:
        raise (Invalid(body="") if _media(request) == "multipart/form-data" else refusal) from refusal
    require_team(caller, standing, course)
    return course, name


async def _upload(
    request: Request,
    session: AsyncSession,
    caller: Caller,
    course: CourseKey,
    name: str | None,
    *,
    only_file: bool = False,
) -> Response:
    async with receive_form(request, limit=_limit(request), name=name, only_file=only_file) as upload:
        return await _keep(request, session, caller, course, upload)


async def _keep(request: Request, session: AsyncSession, caller: Caller, course: CourseKey, upload: Upload) -> Response:
    resources: Resources = request.state.resources
    drawing: asyncio.Semaphore = request.app.state.drawing

    async def run() -> Response:
        await operations.keep_bytes(resources, upload, drawing)
        try:
            saved, is_new = await operations.put_asset(session, caller, course, upload, if_match=if_match(request))
        except CourseGone as refusal:
            raise Invalid(body="") from refusal
        listing = await find_listing(await raw(session), course, upload.name)
        if listing is None:
            raise AssetNotFound
        printed = print_asset(course, listing, request_base(request))
        return _uploaded(request, saved, listing, printed, is_new=is_new)

    return await once(request, session, caller, f"{upload.name} {upload.digest}".encode(), run)


def _uploaded(
    request: Request, saved: Saved, listing: Listing, printed: dict[str, object], *, is_new: bool
) -> Response:
    headers = _etag(saved)
    own = request.url.path.startswith(OWN)
    created = own and (request.method == "POST" or is_new)
    if created:
        headers["Location"] = in_header(str(printed["url"]))
    body = orjson.dumps({"asset": printed, "msg": "Upload completed"})
    return Response(body, 201 if created else 200, headers, media_type="application/json")


async def _lock(
    request: Request,
    session: AsyncSession,
    caller: Caller,
    course: CourseKey,
    name: str | None,
    *,
    check: Callable[[dict[str, JsonValue]], None] | None = None,
) -> Response:
    if _media(request) not in ("application/json", ""):
        raise NoFile if name is None else UnsupportedMediaType
    try:
        body = await read_object(request, limit=_MAX_LOCK)
    except NotJson as refusal:
        raise NoFile(code=refusal.error_code) from refusal
    if name is None:
        raise NoFile
    if check:
        check(body)
    locked = body.get("locked")
    if not isinstance(locked, bool):
        raise BadLock
    saved = await operations.lock_asset(session, caller, course, name, locked=locked, if_match=if_match(request))
    return Response(orjson.dumps(body), 201, _etag(saved), media_type="application/json")


def _refuse_unknown(body: dict[str, JsonValue]) -> None:
    unknown = [name for name in body if name != "locked"]
    if unknown:
        words = "This field is not expected."
        fields = {name[:100]: {"developer_message": words} for name in unknown[:20]}
        raise Invalid(f"{unknown[0][:100]}: {words}", code="invalid", field_errors=fields)


def _media(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _limit(request: Request) -> int:
    settings = request.state.resources.settings
    return settings.asset_max_bytes if isinstance(settings, Settings) else 0


def _etag(saved: Saved) -> dict[str, str]:
    return {"ETag": f'"{saved.guid}"'}
