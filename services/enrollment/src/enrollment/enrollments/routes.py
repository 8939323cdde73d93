"""`/api/enrollment/v1/`: bodies, statuses and texts as Open edX clients know them."""

import re
from collections.abc import Callable, Coroutine
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import orjson
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from common.app import answer_other_method
from common.errors import Forbidden, NotFound
from common.identity import CLIENT_COUNTRY_HEADER, Caller, caller_of, request_base, require_staff
from common.keys import CourseKey, InvalidKey
from common.pages import page_response, render_page
from common.resources import Resources
from enrollment.bodies import read_json
from enrollment.callers import refuse_staff_method
from enrollment.enrollments import listing, operations, queries
from enrollment.enrollments.errors import (
    BadFilter,
    CourseDetailsNotFound,
    CourseNotFound,
    CredentialsMissing,
    Hidden,
    RolesUnavailable,
)
from enrollment.enrollments.schemas import (
    CourseDetailsOut,
    EmbargoIn,
    EmbargoOut,
    EnrollmentOut,
    EnrollmentPage,
    NewEnrollment,
    RolesOut,
    read_enrollment,
)
from enrollment.openapi import described_body, described_query

# what upstream's URL patterns take; anything else is no route of this API
_COURSE: Final = re.compile(r"[^/+]+(?:/|\+)[^/+]+(?:/|\+)[^/?]+")
_OTHERS_COURSE: Final = re.compile(r"([\w.@+-]+),(.+)", re.DOTALL)


class _PlainRoute(APIRoute):
    """Documented like any route, served without FastAPI's parameter and response handling: these carry load."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


# `/enrollment/` is written out: `/enrollment/{course_id:path}` would take it for an empty key
router = APIRouter(prefix="/api/enrollment/v1", tags=["enrollment"], route_class=_PlainRoute)


def _json(text: str) -> Response:
    return Response(text, media_type="application/json")


def _resources(request: Request) -> Resources:
    resources: Resources = request.state.resources
    return resources


def _known_caller(request: Request) -> Caller:
    """A user or a server with the API key; the refusal comes before the method and the body are looked at."""
    caller = caller_of(request)
    if caller.is_anonymous and not caller.api_key:
        raise CredentialsMissing
    return caller


def _course_in_path(request: Request, name: str = "course_id") -> str:
    text: str = request.path_params[name].removesuffix("/")
    if not _COURSE.fullmatch(text):
        raise NotFound
    return text


@router.post("/enrollment", response_model=EnrollmentOut, openapi_extra=described_body(NewEnrollment))
@router.post("/enrollment/", include_in_schema=False)
async def enroll(request: Request) -> Response:
    """Enroll, reactivate or (staff and servers) change an enrollment. Always 200 with the enrollment."""
    caller = _known_caller(request)
    country = request.headers.get(CLIENT_COUNTRY_HEADER) or None
    asked = read_enrollment(await read_json(request), caller, country=country)
    page = f"{request_base(request)}{router.prefix}/embargo-message"
    return _json(await operations.enroll(_resources(request), asked, embargo_page=page))


@router.get(
    "/enrollment",
    response_model=list[EnrollmentOut],
    openapi_extra=described_query(user="Whose; the caller's own when left out."),
)
@router.get("/enrollment/", include_in_schema=False)
async def list_enrollments(request: Request) -> Response:
    """A learner's active enrollments, oldest first; of others only those in courses one teaches, unless staff."""
    caller = _known_caller(request)
    username = request.query_params.get("user") or caller.username or ""
    everything = caller.is_staff or caller.api_key or username == caller.username
    text = await queries.list_enrollments(
        _resources(request).pool, _clean(username), everything=everything, reader_id=caller.user_id
    )
    return _json(text)


@router.api_route("/enrollment", methods=["PUT", "PATCH", "DELETE", "OPTIONS"], include_in_schema=False)
@router.api_route("/enrollment/", methods=["PUT", "PATCH", "DELETE", "OPTIONS"], include_in_schema=False)
async def refuse_method(request: Request) -> Response:
    """Upstream asks for credentials first, also where the method is not served."""
    _known_caller(request)
    return answer_other_method(request, "GET, HEAD, OPTIONS, POST")


@router.get(
    "/enrollment/{course_id:path}",
    response_model=EnrollmentOut | None,
    openapi_extra=described_query(course=True),
)
async def get_enrollment(request: Request) -> Response:
    """One's own enrollment, or as `{username},{course_id}` anybody's for staff; `null` when there is none."""
    text: str = request.path_params["course_id"].removesuffix("/")
    other = _OTHERS_COURSE.fullmatch(text)
    username, course_id = (other[1], other[2]) if other else (None, text)
    if not _COURSE.fullmatch(course_id):
        raise NotFound
    caller = _known_caller(request)
    if username is None:
        username = caller.username or ""
    elif username != caller.username and not (caller.is_staff or caller.api_key):
        raise Hidden
    try:
        key = CourseKey.parse(course_id)
    except InvalidKey as error:
        raise CourseNotFound(course_id) from error
    found = await queries.find_enrollment(_resources(request).pool, username, key.canonical)
    return _json(found or "null")


@router.get(
    "/course/{course_id:path}",
    response_model=CourseDetailsOut,
    openapi_extra=described_query(course=True, include_expired="Any text: expired modes are listed too."),
)
async def get_course_details(request: Request) -> Response:
    """Dates, window and modes of a course. No credentials are read."""
    course_id = _course_in_path(request)
    resources = _resources(request)
    try:
        key = CourseKey.parse(course_id).canonical
    except InvalidKey as error:
        raise CourseDetailsNotFound(course_id) from error
    include_expired = bool(request.query_params.get("include_expired"))
    found = await resources.facts.eventually(
        lambda: queries.find_course_details(resources.pool, key, include_expired=include_expired)
    )
    if found is None:
        raise CourseDetailsNotFound(course_id)
    return _json(found)


@router.get(
    "/enrollments",
    response_model=EnrollmentPage,
    openapi_extra=described_query(
        course_id="A course key.",
        course_ids="Up to 100 parts of course keys, separated by commas.",
        username="Up to 100 usernames, separated by commas.",
        email="Up to 100 e-mail addresses, separated by commas.",
        page_size="At most 100.",
        cursor="From the links of a page.",
    ),
)
async def list_all_enrollments(request: Request) -> Response:
    """Everybody's enrollments, newest first, for global staff; filters hold together."""
    caller = caller_of(request)
    if caller.is_anonymous:
        raise CredentialsMissing
    if not caller.is_staff:
        raise Forbidden
    query = request.query_params
    key = None
    if course_id := query.get("course_id"):
        try:
            key = CourseKey.parse(course_id).canonical
        except InvalidKey as error:
            raise BadFilter("course_id", f"'{course_id}' is not a valid course id.") from error
    values = (_clean(query.get(name)) for name in ("course_ids", "username", "email"))
    filters = listing.read_filters(key, *values)
    size = query.get("page_size", "")
    length = min(int(size), listing.PAGE_SIZE) if re.fullmatch(r"0*[1-9]\d{0,8}", size, re.ASCII) else listing.PAGE_SIZE
    cursor = None
    if text := query.get("cursor"):
        cursor = listing.Cursor.parse(text)
        if cursor is None:
            raise NotFound("Invalid cursor")
    page = await listing.list_all(_resources(request).pool, filters, cursor, size=length)
    following, previous = (orjson.dumps(_link(request, place)).decode() for place in (page.next, page.previous))
    return _json(f'{{"next":{following},"previous":{previous},"results":[{",".join(page.items)}]}}')


def _link(request: Request, cursor: listing.Cursor | None) -> str | None:
    if cursor is None:
        return None
    others = [pair for pair in parse_qsl(request.url.query, keep_blank_values=True) if pair[0] != "cursor"]
    return f"{request_base(request)}{request.url.path}?{urlencode([('cursor', str(cursor)), *others])}"


_WRITES: Final = ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
router.add_api_route("/enrollments", refuse_staff_method, methods=_WRITES, include_in_schema=False)
router.add_api_route("/enrollment/{course_id:path}", refuse_method, methods=_WRITES, include_in_schema=False)


@router.get("/roles/", response_model=RolesOut, openapi_extra=described_query(course_id="Only this course."))
async def list_roles(request: Request) -> Response:
    """The caller's own course roles."""
    caller = _known_caller(request)
    if caller.user_id is None:
        raise RolesUnavailable(caller.username or "")
    course_id = _clean(request.query_params.get("course_id")) or None
    roles = await queries.list_roles(_resources(request).pool, caller.user_id, course_id)
    return _json(orjson.dumps({"roles": roles, "is_staff": caller.is_staff}).decode())


router.add_api_route("/roles/", refuse_method, methods=_WRITES, include_in_schema=False)


@router.get("/embargo-message", include_in_schema=False)
async def show_embargo(request: Request) -> Response:
    """The page a refusal by country points to."""
    text = "<h1>Not available here</h1><p>This course cannot be offered in the country you are connecting from.</p>"
    return page_response(render_page("Not available here", text))


@router.get("/embargo/{course_id:path}", response_model=EmbargoOut, openapi_extra=described_query(course=True))
async def get_embargo(request: Request) -> Response:
    """The countries a course may not be enrolled in from. Global staff."""
    require_staff(caller_of(request))
    course_id = _course_in_path(request)
    lists = await operations.get_embargo(_resources(request), _key_in_path(course_id))
    return _embargo(course_id, lists)


@router.put(
    "/embargo/{course_id:path}",
    response_model=EmbargoOut,
    openapi_extra=described_body(EmbargoIn, course=True),
)
async def set_embargo(request: Request) -> Response:
    """Replace a course's country lists. Global staff."""
    require_staff(caller_of(request))
    course_id = _course_in_path(request)
    wanted = operations.read_embargo(await read_json(request))
    await operations.set_embargo(_resources(request), _key_in_path(course_id), wanted)
    return _embargo(course_id, wanted)


def _key_in_path(course_id: str) -> str:
    try:
        return CourseKey.parse(course_id).canonical
    except InvalidKey as error:
        raise CourseDetailsNotFound(course_id) from error


def _embargo(course_id: str, lists: EmbargoIn) -> Response:
    return _json(EmbargoOut(course_id=course_id, **lists.model_dump()).model_dump_json())


def _clean(text: str | None) -> str:
    """Text that PostgreSQL can take: a NUL matches nothing anyway."""
    return (text or "").replace("\x00", "\ufffd")
