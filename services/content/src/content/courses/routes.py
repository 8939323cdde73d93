"""Creating courses, and the list of them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson
from fastapi import APIRouter
from pydantic import JsonValue, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from common import idempotency
from common.database import WriteSession, raw
from common.errors import Invalid, Unauthorized
from common.identity import Caller, CallerDep, request_base
from common.keys import CourseKey, InvalidKey
from content.courses import operations
from content.courses.errors import BadCourseName, CourseExists, MayNotCreate, NameTaken
from content.courses.operations import Creator
from content.courses.schemas import CreatedCourse, NewCourse
from content.dates import normal_date

router = APIRouter(tags=["courses"])

_DATES = ("start", "end", "enrollment_start", "enrollment_end", "certificate_available_date")
_SETTING = re.compile(r"[a-z][a-z0-9_]{0,99}")
# What clients of Studio's form send beside the settings.
_NOT_SETTINGS = frozenset({"org", "number", "course", "run", "fields", "children", "data"})
_TAKEN = "Please change either the organization or course number so that it is unique."
_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": NewCourse.model_json_schema()}},
    }
}


@router.post("/course", response_model=CreatedCourse, openapi_extra=_BODY, summary="Create a course (Studio)")
@router.post("/course/", response_model=CreatedCourse, openapi_extra=_BODY, include_in_schema=False)
async def create_course_of_studio(request: Request, session: WriteSession, caller: CallerDep) -> Response:
    """Create a course and publish its root; the caller becomes its instructor and is enrolled."""
    created = await _create(await _body(request), session, caller)
    return Response(orjson.dumps(created), media_type="application/json")


@router.post(
    "/api/content/v1/course",
    response_model=CreatedCourse,
    status_code=201,
    openapi_extra=_BODY,
    summary="Create a course",
)
@router.post("/api/content/v1/course/", response_model=CreatedCourse, status_code=201, include_in_schema=False)
async def create_course(request: Request, session: WriteSession, caller: CallerDep) -> Response:
    """Create a course and publish its root; `Idempotency-Key` makes a repeated request harmless."""
    key = request.headers.get(idempotency.HEADER)
    who = caller.username or ""
    if key is not None and not caller.is_anonymous:
        fingerprint = idempotency.fingerprint("POST", "/api/content/v1/course", await request.body())
        stored = await idempotency.claim(session, caller=who, key=key, fingerprint=fingerprint)
        if stored is not None:
            return Response(stored.body, stored.status, media_type="application/json")
    created = await _create(await _body(request), session, caller)
    body = orjson.dumps(created)
    if key is not None:
        await idempotency.store(session, caller=who, key=key, status=201, body=body)
    location = f"{request_base(request)}/api/content/v1{created['url']}"
    return Response(body, 201, {"Location": location}, media_type="application/json")


async def _body(request: Request) -> Mapping[str, JsonValue]:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise Invalid("The body is not JSON.", code="malformed") from error
    if not isinstance(body, dict):
        raise Invalid("The body is not a JSON object.", code="malformed")
    if "number" not in body and isinstance(body.get("course"), str):
        body["number"] = body["course"]
    return body


async def _create(body: Mapping[str, JsonValue], session: WriteSession, caller: Caller) -> dict[str, str]:
    if caller.is_anonymous:
        raise Unauthorized
    new = _read(body)
    if not caller.may_create(new.org, new.number):
        raise MayNotCreate
    course = _key(new)
    try:
        await operations.create_course(
            session,
            await raw(session),
            course,
            spelling=course.canonical,
            creator=Creator(caller.user_id, caller.username),
            settings={"display_name": new.display_name, **_settings(body)},
            now=datetime.now(UTC),
        )
    except (CourseExists, NameTaken) as refusal:
        refusal.extra |= {"ErrMsg": refusal.message, "OrgErrMsg": _TAKEN, "CourseErrMsg": _TAKEN}
        raise
    return {"url": f"/course/{course}", "course_key": course.canonical}


def _read(body: Mapping[str, JsonValue]) -> NewCourse:
    try:
        return NewCourse.model_validate(body)
    except ValidationError as error:
        wrong = {str(item["loc"][0]): _words(item["type"]) for item in error.errors()}
        fields = {name: {"developer_message": text} for name, text in wrong.items()}
        name, text = next(iter(wrong.items()))
        raise Invalid(f"{name}: {text}", code="invalid", field_errors=fields) from error


def _words(kind: str) -> str:
    return "This field is required." if kind == "missing" else "This field must be a text."


def _key(new: NewCourse) -> CourseKey:
    try:
        if not all((new.org, new.number, new.run)):
            raise InvalidKey(f"{new.org}+{new.number}+{new.run}", "a course key")
        return CourseKey.parse(f"course-v1:{new.org}+{new.number}+{new.run}")
    except InvalidKey as error:
        text = f"Unable to create course '{new.display_name}'.\n\n{error}."
        raise BadCourseName(text, ErrMsg=text) from error


def _settings(body: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Every further field, also those in `fields`. Raises `Invalid` for a date that is none."""
    nested = body.get("fields")
    given = {**body, **(nested if isinstance(nested, dict) else {})}
    if given.get("source_course_key"):
        raise Invalid("A course cannot be made from another one here: export that one and import it.", code="no_rerun")
    settings = {}
    for name, value in given.items():
        if name in _NOT_SETTINGS or name == "source_course_key":
            continue
        if not _SETTING.fullmatch(name):
            raise Invalid(f"{name}: This field is not expected.", code="unexpected_field")
        if name in _DATES and value is not None:
            value = normal_date(value)
            if value is None:
                raise Invalid(f"Invalid data ({name} is not a date)", code="bad_date")
        settings[name] = value
    return settings
