"""The course API: list, detail, ids by role; and the page about a course."""

import re
from datetime import UTC, datetime
from functools import lru_cache

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.app import raw_path
from common.errors import NotFound
from common.identity import caller_of, request_base, require_user
from common.keys import CourseKey, InvalidKey
from common.pages import page_response, prefers_html
from common.pagination import PageRequest, page_links, parse_page
from common.resources import Resources
from course_catalog.accounts.models import ANYBODY
from course_catalog.accounts.queries import viewer, viewer_of
from course_catalog.courses import pages
from course_catalog.courses.answers import (
    DEFAULT_PAGE,
    FILTERS,
    MAX_IDS,
    MAX_PAGE,
    PAGING,
    VIEW,
    documented,
    in_json,
    json_answer,
    parameter,
)
from course_catalog.courses.errors import BadParameters, CourseNotFound, bad_course_key
from course_catalog.courses.listing import Filters, Listing, Page
from course_catalog.courses.parameters import ROLES, Parameters, read_cursor, read_filters, read_role
from course_catalog.courses.queries import get_detail, get_offer
from course_catalog.courses.schemas import CourseIdPage, CourseOut, CoursePage
from course_catalog.settings import settings_of

LIST = "/api/courses/v1/courses/"
DETAIL = "/api/courses/v1/courses/{course_key:path}"
IDS = "/api/courses/v1/course_ids/"
# what upstream's router takes for a course key at all; the rest is no such address
_LOOKS_LIKE_KEY = re.compile(r"[^/+]+(/|\+)[^/+]+(/|\+)[^/?]+\Z")

router = APIRouter(tags=["courses"])


async def list_courses(request: Request) -> Response:
    """Courses somebody may find in the catalogue, by ascending id; counts are exact."""
    resources: Resources = request.state.resources
    caller = caller_of(request)
    query = request.scope["query_string"].decode("latin-1")
    parameters, filters = _read_short(query) if len(query) <= _SHORT else _read(query)
    username = parameters.text("username")
    view = await viewer_of(resources, caller, username) if username else ANYBODY
    page = parse_page(*parameters.page(), default=DEFAULT_PAGE, maximum=MAX_PAGE)
    base = request_base(request)
    listing: Listing = request.app.state.listing
    found = await listing.page(filters, view, page, base=in_json(base), after=read_cursor(parameters))
    return json_answer(request, _envelope(request, base, query, page, found))


def _read(query: str) -> tuple[Parameters, Filters]:
    parameters = Parameters(query)
    return parameters, read_filters(parameters)


# Most lists are asked for again and again, and reading what is asked costs a tenth of answering it.
_SHORT = 200
_read_short = lru_cache(maxsize=1000)(_read)


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
        body = await get_detail(resources, key, view, base=in_json(base))
        return json_answer(request, body, {"Vary": "Accept"})
    # a person looks with his own eyes unless he says otherwise
    view = await viewer_of(resources, caller, username) if username else viewer(caller)
    try:
        course = orjson.loads(await get_detail(resources, key, view, base=in_json(base)))
    except CourseNotFound as refusal:
        return page_response(pages.render_missing(refusal.message, user=caller.username), 404)
    offer = await get_offer(resources, key, default=settings_of(resources).course_mode, now=datetime.now(UTC))
    return page_response(pages.render_about(course, key, offer, user=caller.username))


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
    found = await listing.page(filters, view, page, base=None, after=read_cursor(parameters))
    return json_answer(request, _envelope(request, request_base(request), query, page, found))


def _course_key(request: Request) -> CourseKey:
    text = str(request.path_params["course_key"]).rstrip("/")
    try:
        return CourseKey.parse(text)
    except InvalidKey as error:
        if _LOOKS_LIKE_KEY.match(text):
            raise BadParameters(course_key=bad_course_key(text)) from error
        raise NotFound from error


def _links(url: str, query: str, page: PageRequest, found: Page) -> tuple[str | None, str | None]:
    onward = found.onward
    cursor = str(onward) if onward else None
    return page_links(url, query, page.number, found.pages, cursor=cursor, more=onward is not None)


def _envelope(request: Request, base: str, query: str, page: PageRequest, found: Page) -> str:
    following, previous = _links(base + raw_path(request), query, page, found)
    pagination = {"next": following, "previous": previous, "count": found.count, "num_pages": found.pages}
    return f'{{"results":[{found.items}],"pagination":{orjson.dumps(pagination).decode()}}}'


documented(router, LIST, list_courses, CoursePage, [VIEW, *FILTERS, *PAGING])
_ROLE = parameter("role", "staff or instructor", required=True)
documented(router, IDS, list_course_ids, CourseIdPage, [VIEW, _ROLE, *PAGING])
documented(router, DETAIL, get_course, CourseOut, [VIEW])
