"""The course API: list, detail, ids by role; and the two pages people see."""

import hashlib
import re
from collections.abc import Mapping

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.app import raw_path
from common.errors import NotFound
from common.identity import caller_of, request_base, require_user
from common.keys import CourseKey, InvalidKey
from common.pages import page_response, prefers_html
from common.pagination import InvalidPage, PageRequest, page_links, parse_page
from common.resources import Resources
from course_catalog.accounts.models import ANYBODY
from course_catalog.accounts.queries import viewer, viewer_of
from course_catalog.courses import pages
from course_catalog.courses.errors import BadParameters, CourseNotFound, bad_course_key
from course_catalog.courses.listing import Filters, Listing, Page
from course_catalog.courses.parameters import ROLES, Parameters, read_filters, read_role
from course_catalog.courses.queries import get_detail
from course_catalog.courses.schemas import CourseIdPage, CourseOut, CoursePage

LIST = "/api/courses/v1/courses/"
DETAIL = "/api/courses/v1/courses/{course_key:path}"
IDS = "/api/courses/v1/course_ids/"
DEFAULT_PAGE, MAX_PAGE, MAX_IDS, PAGE_OF_CARDS = 10, 100, 1000, 24
# what upstream's router takes for a course key at all; the rest is no such address
_LOOKS_LIKE_KEY = re.compile(r"[^/+]+(/|\+)[^/+]+(/|\+)[^/?]+\Z")

router = APIRouter(tags=["courses"])


async def list_courses(request: Request) -> Response:
    """Courses somebody may find in the catalogue, by ascending id; counts are exact."""
    resources: Resources = request.state.resources
    caller = caller_of(request)
    query = request.scope["query_string"].decode("latin-1")
    parameters = Parameters(query)
    filters = read_filters(parameters)
    username = parameters.text("username")
    view = await viewer_of(resources, caller, username) if username else ANYBODY
    number, size = parameters.page()
    page = parse_page(number, size, default=DEFAULT_PAGE, maximum=MAX_PAGE)
    base = request_base(request)
    listing: Listing = request.app.state.listing
    found = await listing.page(filters, view, page, base=_in_json(base))
    return _json(request, _envelope(request, base, query, page, found))


async def get_course(request: Request) -> Response:
    """One course run, as JSON or, where Accept prefers HTML, as a page; 404 also where it may not be seen."""
    resources: Resources = request.state.resources
    caller = caller_of(request)
    html = prefers_html(request)
    base = request_base(request)
    key = _course_key(request)
    parameters = Parameters(request.scope["query_string"].decode("latin-1"))
    username = parameters.text("username")
    if not html:
        view = await viewer_of(resources, caller, username)
        body = await get_detail(resources, key, view, base=_in_json(base))
        return _json(request, body, {"Vary": "Accept"})
    # a person looks with his own eyes unless he says otherwise
    view = await viewer_of(resources, caller, username) if username else viewer(caller)
    try:
        course = orjson.loads(await get_detail(resources, key, view, base=_in_json(base)))
    except CourseNotFound as refusal:
        return page_response(pages.render_missing(refusal.message, user=caller.username), 404)
    return page_response(pages.render_about(course, key, user=caller.username))


async def list_course_ids(request: Request) -> Response:
    """Ids of the courses in which somebody has a role; all of them for global staff."""
    resources: Resources = request.state.resources
    caller = require_user(caller_of(request))
    query = request.scope["query_string"].decode("latin-1")
    parameters = Parameters(query)
    role = read_role(parameters)
    view = await viewer_of(resources, caller, parameters.text("username"))
    if role not in ROLES and not view.sees_all:
        raise BadParameters(role=f"'{role}' is not a role in a course.")
    number, size = parameters.page()
    page = parse_page(number, size, default=DEFAULT_PAGE, maximum=MAX_IDS)
    filters = Filters(permissions=() if view.sees_all else (role,))
    listing: Listing = request.app.state.listing
    found = await listing.page(filters, view, page, base=None)
    return _json(request, _envelope(request, request_base(request), query, page, found))


async def show_catalogue(request: Request) -> Response:
    """The catalogue as a page, as the person looking may see it."""
    caller = caller_of(request)
    query = request.scope["query_string"].decode("latin-1")
    parameters = Parameters(query)
    search = parameters.text("search_term").strip()
    filters = Filters(search=search or None, permissions=("see_in_catalog",))
    listing: Listing = request.app.state.listing
    try:
        page = parse_page(parameters.page()[0], None, default=PAGE_OF_CARDS, maximum=PAGE_OF_CARDS)
        found = await listing.page(filters, viewer(caller), page, base="")
    except InvalidPage as refusal:
        return page_response(pages.render_missing(refusal.message, user=caller.username), 404)
    links = page_links("/", query, page.number, found.pages)
    courses = orjson.loads(f"[{found.items}]")
    html = pages.render_catalogue(
        courses, page=page.number, of=found.pages, count=found.count, search=search, links=links, user=caller.username
    )
    return page_response(html)


def _course_key(request: Request) -> CourseKey:
    text = str(request.path_params["course_key"]).rstrip("/")
    try:
        return CourseKey.parse(text)
    except InvalidKey as error:
        if _LOOKS_LIKE_KEY.match(text):
            raise BadParameters(course_key=bad_course_key(text)) from error
        raise NotFound from error


def _in_json(base: str) -> str:
    return orjson.dumps(base)[1:-1].decode()


def _envelope(request: Request, base: str, query: str, page: PageRequest, found: Page) -> str:
    following, previous = page_links(base + raw_path(request), query, page.number, found.pages)
    pagination = {"next": following, "previous": previous, "count": found.count, "num_pages": found.pages}
    return f'{{"results":[{found.items}],"pagination":{orjson.dumps(pagination).decode()}}}'


def _json(request: Request, body: str, headers: Mapping[str, str] | None = None) -> Response:
    """The body with its entity tag, or 304 to whoever has it already."""
    content = body.encode()
    tag = f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"'
    known = request.headers.get("if-none-match")
    if known and (known.strip() == "*" or tag in (part.strip().removeprefix("W/") for part in known.split(","))):
        return Response(status_code=304, headers={**(headers or {}), "ETag": tag})
    return Response(content, headers={**(headers or {}), "ETag": tag}, media_type="application/json")


def _parameter(name: str, description: str, kind: str = "string", *, required: bool = False) -> dict[str, object]:
    return {"name": name, "in": "query", "required": required, "description": description, "schema": {"type": kind}}


_VIEW = _parameter("username", "Whose view: oneself or, for global staff, anyone; everybody's when absent.")
_PAGING = [_parameter("page", "From 1.", "integer"), _parameter("page_size", "Default 10.", "integer")]
_FILTERS = [
    _parameter("org", "Only this organization, in any case."),
    _parameter("mobile", "Only courses that are, or are not, available on mobile devices.", "boolean"),
    _parameter("active_only", "No courses that have ended.", "boolean"),
    _parameter("search_term", "Part of a name, number or organization."),
    _parameter("course_keys", "Only these courses; comma separated or repeated."),
    _parameter("permissions", "Only courses where these are granted; comma separated or repeated."),
]


def _documented(path: str, endpoint: object, model: type[object], parameters: list[dict[str, object]]) -> None:
    """A plain route answers (FastAPI's own handling costs half the throughput); the same one again describes it."""
    router.add_route(path, endpoint, methods=["GET"])  # type: ignore[arg-type]
    router.add_api_route(
        path,
        endpoint,  # type: ignore[arg-type]
        methods=["GET"],
        response_model=None,
        responses={200: {"model": model}},
        openapi_extra={"parameters": parameters},
    )


_documented(LIST, list_courses, CoursePage, [_VIEW, *_FILTERS, *_PAGING])
_documented(
    IDS, list_course_ids, CourseIdPage, [_VIEW, _parameter("role", "staff or instructor", required=True), *_PAGING]
)
_documented(DETAIL, get_course, CourseOut, [_VIEW])
router.add_route("/", show_catalogue, methods=["GET"], include_in_schema=False)
