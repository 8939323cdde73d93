"""`/api/course_modes/v1`: how courses may be taken, for global staff and server-to-server callers; read also with a
scope of its own."""

from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from common.database import ReadSession, WriteSession
from common.errors import Forbidden
from common.identity import Caller, CallerDep, require_user
from common.keys import CourseKey, InvalidKey
from common.resources import Resources
from course_catalog.bodies import MERGE_PATCH, read_object
from course_catalog.modes.errors import ModeNotFound, NotOfAllModes, NotOfOneMode
from course_catalog.modes.fields import read_changes, read_new
from course_catalog.modes.models import CourseMode
from course_catalog.modes.operations import change_mode, course_of, create_mode, delete_mode
from course_catalog.modes.queries import find_mode, find_spelling, list_rows
from course_catalog.modes.schemas import ModeChanges, ModeOut, NewMode
from course_catalog.settings import settings_of

_READING: Final = "course_modes:read"


def _staff(request: Request, caller: CallerDep) -> Caller:
    """Whoever holds a token made for it may read, too."""
    if caller.api_key or require_user(caller).is_staff:
        return caller
    if not (request.method in ("GET", "HEAD") and _READING in caller.scopes):
        raise Forbidden
    return caller


router = APIRouter(prefix="/api/course_modes/v1/courses", tags=["course modes"], dependencies=[Depends(_staff)])


def _body(model: type[object], kind: str) -> dict[str, object]:
    """Documents a body that is read by hand: refusals are upstream's, and permission comes before them."""
    schema = model.model_json_schema()  # type: ignore[attr-defined]
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}


@router.get("/{place:path}", response_model=list[ModeOut] | ModeOut)
async def get_modes(session: ReadSession, place: str, request: Request) -> list[ModeOut] | ModeOut:
    """`…/{course}`: all modes, expired ones too. `…/{course}/{slug}`: one of them."""
    key, slug = split(place)
    spelling = await find_spelling(session, key) or key
    if slug is None:
        return [out(mode, spelling) for mode in await list_rows(session, key)]
    if (mode := await find_mode(session, key, slug)) is None:
        raise ModeNotFound
    return out(mode, spelling)


@router.post(
    "/{place:path}",
    status_code=201,
    response_model=ModeOut,
    openapi_extra=_body(NewMode, "application/json"),
)
async def post_mode(request: Request, session: WriteSession, place: str) -> ModeOut:
    """Make a mode; the body's course counts."""
    resources: Resources = request.state.resources
    _, slug = split(place)
    if slug is not None:
        raise NotOfOneMode(request.method)
    values = read_new(await read_object(request))
    key = course_of(values["course_id"]).canonical

    async def known() -> str | None:
        async with resources.sessions() as reading:
            return await find_spelling(reading, key)

    spelling = await resources.facts.eventually(known) or key
    mode = await create_mode(session, values, default=settings_of(resources).course_mode, now=datetime.now(UTC))
    return out(mode, spelling)


@router.patch("/{place:path}", status_code=204, openapi_extra=_body(ModeChanges, MERGE_PATCH))
async def patch_mode(request: Request, session: WriteSession, place: str) -> Response:
    """Change a mode, as a JSON merge patch."""
    resources: Resources = request.state.resources
    key, slug = split(place)
    if slug is None:
        raise NotOfAllModes(request.method)
    if await find_mode(session, key, slug) is None:
        raise ModeNotFound
    values = read_changes(await read_object(request, (MERGE_PATCH,)), slug=slug)
    default = settings_of(resources).course_mode
    await change_mode(session, key, slug, values, default=default, now=datetime.now(UTC))
    return Response(status_code=204)


@router.delete("/{place:path}", status_code=204)
async def remove_mode(request: Request, session: WriteSession, place: str) -> Response:
    """Offer a mode no longer."""
    resources: Resources = request.state.resources
    key, slug = split(place)
    if slug is None:
        raise NotOfAllModes(request.method)
    await delete_mode(session, key, slug, default=settings_of(resources).course_mode, now=datetime.now(UTC))
    return Response(status_code=204)


def split(place: str) -> tuple[str, str | None]:
    """(canonical course key, slug) of a path: what parses as a course is one. Raises `ModeNotFound`."""
    text = place.rstrip("/")
    course, _, slug = text.rpartition("/")
    if "\x00" in slug:
        raise ModeNotFound
    try:
        return CourseKey.parse(text).canonical, None
    except InvalidKey:
        pass
    try:
        return CourseKey.parse(course).canonical, slug
    except InvalidKey as error:
        raise ModeNotFound from error


def out(mode: CourseMode, spelling: str) -> ModeOut:
    return ModeOut(
        course_id=spelling,
        mode_slug=mode.slug,
        mode_display_name=mode.name,
        min_price=mode.min_price,
        currency=mode.currency,
        expiration_datetime=mode.expiration_datetime,
        expiration_datetime_is_explicit=mode.expiration_datetime_is_explicit,
        description=mode.description,
        sku=mode.sku,
        bulk_sku=mode.bulk_sku,
    )
