"""Creating courses and libraries, and the next run of a course."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, JsonValue, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from common.database import WriteSession, raw
from common.errors import Invalid, Unauthorized
from common.identity import Caller, CallerDep, request_base
from common.keys import CourseKey, InvalidKey
from content.access import TEAM_ROLES, find_standing, require_team
from content.addresses import in_header
from content.bodies import parse_object, read_bytes
from content.courses import operations
from content.courses.announcing import course_settings
from content.courses.errors import BadCourseName, CourseExists, CourseNotFound, MayNotCreate, NameTaken
from content.courses.fields import MAX_TEXT, read_settings
from content.courses.operations import Creator
from content.courses.queries import get_course_key, list_libraries
from content.courses.schemas import CreatedCourse, LibraryOut, NewCourse, NewLibrary
from content.lifecycle.errors import SourceUnknown
from content.lifecycle.reruns import rerun_course
from content.once import once

router = APIRouter(tags=["courses"])
M = TypeVar("M", bound=BaseModel)

_LIMIT = 1_000_000
# What clients of Studio's form send beside the settings.
_NOT_SETTINGS = frozenset(
    {"org", "number", "course", "run", "library", "fields", "children", "data", "source_course_key"}
)
_TAKEN = "Please change either the organization or course number so that it is unique."


def _body_of(model: type[NewCourse] | type[NewLibrary]) -> dict[str, JsonValue]:
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.post(
    "/course", response_model=CreatedCourse, openapi_extra=_body_of(NewCourse), summary="Create a course (Studio)"
)
@router.post("/course/", response_model=CreatedCourse, openapi_extra=_body_of(NewCourse), include_in_schema=False)
async def create_course_of_studio(request: Request, session: WriteSession, caller: CallerDep) -> Response:
    """Create a course and publish its root; the caller becomes its instructor and is enrolled.

    With `source_course_key` the course is the next run of that one, and the answer names it `destination_course_key`.
    """
    return _answer(await _create(await read_bytes(request, limit=_LIMIT), session, caller), 200, request)


@router.post(
    "/api/content/v1/course",
    response_model=CreatedCourse,
    status_code=201,
    openapi_extra=_body_of(NewCourse),
    summary="Create a course",
)
@router.post("/api/content/v1/course/", response_model=CreatedCourse, status_code=201, include_in_schema=False)
async def create_course(request: Request, session: WriteSession, caller: CallerDep) -> Response:
    """Create a course, or the next run of one, and publish its root; `Idempotency-Key` makes a repeat harmless."""
    data = await read_bytes(request, limit=_LIMIT)

    async def perform() -> Response:
        return _answer(await _create(data, session, caller), 201, request)

    return await once(request, session, caller, data, perform)


@router.get("/api/content/v1/libraries", response_model=list[LibraryOut], summary="Content libraries")
async def get_libraries(request: Request, caller: CallerDep) -> list[LibraryOut]:
    """Those that the caller may read: of their teams, of their organizations, for global staff all."""
    if caller.is_anonymous:
        raise Unauthorized
    orgs = [org for org, role in caller.org_roles if role in TEAM_ROLES]
    found = await list_libraries(request.state.resources.pool, caller.user_id, every=caller.is_staff, orgs=orgs)
    return [
        LibraryOut(
            id=listed.spelling,
            org=listed.course.org,
            library=listed.course.course,
            display_name=course_settings(listed.settings).display_name,
            edited_on=listed.changed_at,
            url=f"/course/{listed.spelling}",
        )
        for listed in found
    ]


@router.post(
    "/api/content/v1/libraries",
    response_model=CreatedCourse,
    status_code=201,
    openapi_extra=_body_of(NewLibrary),
    summary="Create a content library",
)
async def create_library(request: Request, session: WriteSession, caller: CallerDep) -> Response:
    """Create an empty library; the caller becomes its instructor."""
    data = await read_bytes(request, limit=_LIMIT)

    async def perform() -> Response:
        _require_creator(caller)
        body = parse_object(data)
        new = _read(NewLibrary, body)
        library = _key(f"library-v1:{new.org}+{new.library}", new.display_name, (new.org, new.library))
        return _answer(await _make(body, library, new.display_name, session, caller), 201, request)

    return await once(request, session, caller, data, perform)


def _answer(created: Mapping[str, str], status: int, request: Request) -> Response:
    location = in_header(f"{request_base(request)}/api/content/v1{created['url']}")
    headers = {"Location": location} if status == 201 else {}
    return Response(orjson.dumps(created), status, headers, media_type="application/json")


async def _create(data: bytes, session: AsyncSession, caller: Caller) -> dict[str, str]:
    _require_creator(caller)
    body = parse_object(data)
    if "number" not in body and isinstance(body.get("course"), str):
        body["number"] = body["course"]
    new = _read(NewCourse, body)
    course = _key(f"course-v1:{new.org}+{new.number}+{new.run}", new.display_name, (new.org, new.number, new.run))
    return await _make(body, course, new.display_name, session, caller, source=new.source_course_key)


def _require_creator(caller: Caller) -> None:
    """Whoever may create nothing is told so before anybody looks at the body. Raises 401, `MayNotCreate`."""
    if caller.is_anonymous:
        raise Unauthorized
    if not caller.is_staff and not caller.creator_grants:
        raise MayNotCreate


async def _make(
    body: Mapping[str, JsonValue],
    course: CourseKey,
    display_name: str,
    session: AsyncSession,
    caller: Caller,
    *,
    source: str | None = None,
) -> dict[str, str]:
    if not caller.may_create(course.org, course.course):
        raise MayNotCreate
    creator = Creator(caller.user_id, caller.username)
    settings = {**_settings(body), "display_name": display_name}
    now = datetime.now(UTC)
    url = f"/course/{course}"
    try:
        if source:
            start_from = await _source(session, caller, source)
            await rerun_course(session, start_from, course, creator=creator, settings=settings, now=now)
            return {"url": url, "destination_course_key": course.canonical, "course_key": course.canonical}
        await operations.create_course(
            session, course, spelling=course.canonical, creator=creator, settings=settings, now=now
        )
    except (CourseExists, NameTaken) as refusal:
        refusal.extra |= {"ErrMsg": refusal.message, "OrgErrMsg": _TAKEN, "CourseErrMsg": _TAKEN}
        raise
    return {"url": url, "course_key": course.canonical}


async def _source(session: AsyncSession, caller: Caller, text: str) -> CourseKey:
    """The course to run again; a rerun takes drafts and answers along, so it takes a member of the team to start one.

    Raises `SourceUnknown`, `NotOnTeam`.
    """
    connection = await raw(session)
    try:
        source = await get_course_key(connection, text)
    except CourseNotFound as error:
        raise SourceUnknown from error
    standing = await find_standing(connection, source, caller.user_id)
    if standing is None or source.is_library:
        raise SourceUnknown
    require_team(caller, standing, source)
    return source


def _read(model: type[M], body: Mapping[str, JsonValue]) -> M:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        wrong = {str(item["loc"][0]): _words(item["type"]) for item in error.errors()}
        fields = {name: {"developer_message": text} for name, text in wrong.items()}
        name, text = next(iter(wrong.items()))
        raise Invalid(f"{name}: {text}", code="invalid", field_errors=fields) from error


def _words(kind: str) -> str:
    if kind == "string_too_long":
        return f"This field may have at most {MAX_TEXT} characters."
    return "This field is required." if kind == "missing" else "This field must be a text."


def _key(text: str, display_name: str, parts: tuple[str, ...]) -> CourseKey:
    try:
        if not all(parts):
            raise InvalidKey(text, "a course key")
        return CourseKey.parse(text)
    except InvalidKey as error:
        message = f"Unable to create course '{display_name}'.\n\n{error}."
        raise BadCourseName(message, ErrMsg=message) from error


def _settings(body: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Every further field, also those in `fields`; one that is null is not set."""
    nested = body.get("fields")
    given = {**body, **(nested if isinstance(nested, dict) else {})}
    settings = read_settings({name: value for name, value in given.items() if name not in _NOT_SETTINGS})
    return {name: value for name, value in settings.items() if value is not None}
