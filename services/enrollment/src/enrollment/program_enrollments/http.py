"""Requests and answers of the program enrollment API, read and written by hand."""

import re
from collections.abc import Callable, Coroutine
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import orjson
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from common.app import raw_path
from common.errors import Forbidden, NotFound
from common.identity import Caller, caller_of, request_base
from common.keys import CourseKey, InvalidKey
from common.resources import Resources
from enrollment.bodies import is_deep
from enrollment.enrollments.errors import CredentialsMissing
from enrollment.program_enrollments.errors import (
    BadCourseKey,
    CourseNotFound,
    ProgramNotFound,
    UnreadableBody,
    UnreadableMediaType,
)
from enrollment.program_enrollments.queries import Cursor, Page
from enrollment.programs.models import Program
from enrollment.programs.queries import Run, find_program, find_run

_UUID: Final = re.compile(r"[A-Fa-f0-9-]+")


class PlainRoute(APIRoute):
    """Documented like any route, served without FastAPI's handling: who may call comes before what was sent."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


def resources_of(request: Request) -> Resources:
    resources: Resources = request.state.resources
    return resources


def known_caller(request: Request) -> Caller:
    """Raises `CredentialsMissing`."""
    caller = caller_of(request)
    if caller.is_anonymous:
        raise CredentialsMissing
    return caller


def staff_caller(request: Request) -> Caller:
    """Global staff; a username in the query opens nothing. Raises `CredentialsMissing`, `Forbidden`."""
    caller = known_caller(request)
    if not caller.is_staff:
        raise Forbidden
    return caller


async def read_json(request: Request) -> object:
    """Raises `UnreadableBody`, `UnreadableMediaType`."""
    given = request.headers.get("content-type", "application/json")
    if given.partition(";")[0].strip().lower() not in ("application/json", ""):
        raise UnreadableMediaType(given)
    try:
        body: object = orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise UnreadableBody(str(error)) from error
    if is_deep(body):
        raise UnreadableBody("nested too deep")
    return body


def answer(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


async def program_in_path(request: Request) -> Program:
    """Raises `NotFound` for what is no such path, `ProgramNotFound`."""
    text: str = request.path_params["program_uuid"]
    if not _UUID.fullmatch(text):
        raise NotFound
    try:
        uuid = UUID(text)
    except ValueError as error:
        raise ProgramNotFound from error
    resources = resources_of(request)
    found = await resources.facts.eventually(lambda: find_program(resources.pool, uuid))
    if found is None:
        raise ProgramNotFound
    return found


async def run_in_path(request: Request, program: Program, *, member: bool) -> Run:
    """The course; a `member` is waited for a moment. Raises `BadCourseKey`, `CourseNotFound`."""
    text: str = request.path_params["course_id"]
    try:
        key = CourseKey.parse(text).canonical
    except InvalidKey as error:
        raise BadCourseKey from error
    resources = resources_of(request)
    last: Run | None = None

    async def look() -> Run | None:
        nonlocal last
        last = await find_run(resources.pool, program.uuid, key)
        return last if last and (last.is_member or not member) else None

    await resources.facts.eventually(look)
    if last is None:
        raise CourseNotFound(text)
    return last


def page_answer(request: Request, page: Page) -> Response:
    """The envelope of cursor pages; links are the request's own URL with another cursor."""
    links = [orjson.dumps(_link(request, place)).decode() for place in (page.next, page.previous)]
    text = f'{{"next":{links[0]},"previous":{links[1]},"results":[{",".join(page.items)}]}}'
    return Response(text, media_type="application/json")


def _link(request: Request, cursor: Cursor | None) -> str | None:
    if cursor is None:
        return None
    others = sorted(pair for pair in parse_qsl(request.url.query, keep_blank_values=True) if pair[0] != "cursor")
    return f"{request_base(request)}{raw_path(request)}?{urlencode([('cursor', str(cursor)), *others])}"


def described(
    body: type[BaseModel] | None = None, *, course: bool = False, learner: bool = False, **query: str
) -> dict[str, object]:
    """What the signatures of these routes do not say: path, query and body."""
    text = {"type": "string"}
    places = {"program_uuid": "The program's uuid."}
    if learner:
        places["username"] = "Oneself."
    if course:
        places["course_id"] = "A course key in any spelling, `course-v1:Org+Course+Run` or `Org/Course/Run`."
    parameters: list[dict[str, object]] = [
        {"name": name, "in": "path", "required": True, "description": meaning, "schema": text}
        for name, meaning in places.items()
    ]
    parameters += [
        {"name": name, "in": "query", "description": meaning, "schema": text} for name, meaning in query.items()
    ]
    found: dict[str, object] = {"parameters": parameters}
    if body:
        schema = {"type": "array", "maxItems": 25, "items": body.model_json_schema()}
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return found
