"""`/api/catalog/v1/courses`: search by relevance, with facets; for people and programs alike."""

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.app import raw_path
from common.identity import caller_of, request_base
from common.pagination import page_links, parse_page
from common.resources import Resources
from course_catalog.accounts.models import Viewer
from course_catalog.accounts.queries import viewer, viewer_of
from course_catalog.courses.answers import (
    DEFAULT_PAGE,
    FILTERS,
    MAX_PAGE,
    PAGING,
    VIEW,
    documented,
    in_json,
    json_answer,
)
from course_catalog.courses.answers import parameter as described
from course_catalog.courses.listing import Filters, Listing
from course_catalog.courses.parameters import Parameters, read_cursor, read_filters
from course_catalog.discovery.facets import FacetCounts, Facets
from course_catalog.discovery.parameters import read_facet_filters, read_ranked_cursor, read_sort
from course_catalog.discovery.queries import search
from course_catalog.discovery.schemas import CatalogPage
from course_catalog.settings import settings_of

COURSES = "/api/catalog/v1/courses/"

router = APIRouter(tags=["catalogue"])


async def search_courses(request: Request) -> Response:
    """Courses by relevance (when something is searched for) or by id, with counts for refining the search.

    Without `username` everybody looks with their own eyes.
    """
    resources: Resources = request.state.resources
    caller = caller_of(request)
    query = request.scope["query_string"].decode("latin-1")
    parameters = Parameters(query)
    filters = read_facet_filters(parameters, read_filters(parameters), default_mode=settings_of(resources).default_mode)
    by_relevance = read_sort(parameters, filters) == "relevance"
    username = parameters.text("username")
    view = await viewer_of(resources, caller, username) if username else viewer(caller)
    number, size = parameters.page()
    page = parse_page(number, size, default=DEFAULT_PAGE, maximum=MAX_PAGE)
    base = request_base(request)
    listing: Listing = request.app.state.listing
    cursor: str | None
    if by_relevance:
        after = read_ranked_cursor(parameters)
        found = await search(resources.pool, filters, view, page, base=in_json(base), after=after)
        items, count, pages, cursor = found.items, found.count, found.pages, str(found.onward or "")
    else:
        listed = await listing.page(filters, view, page, base=in_json(base), after=read_cursor(parameters))
        items, count, pages, cursor = listed.items, listed.count, listed.pages, str(listed.onward or "")
    following, previous = page_links(
        base + raw_path(request), query, page.number, pages, cursor=cursor or None, more=bool(cursor)
    )
    envelope = {"next": following, "previous": previous, "count": count, "num_pages": pages}
    body = f'{{"results":[{items}],"pagination":{orjson.dumps(envelope).decode()}'
    if parameters.text("facets") not in {"0", "false", "False"}:
        counts = await facets_of(request, filters, view)
        shown = {name: [{"value": value, "count": n} for value, n in values] for name, values in counts.items()}
        body += f',"facets":{orjson.dumps(shown).decode()}'
    return json_answer(request, body + "}")


async def facets_of(request: Request, filters: Filters, view: Viewer) -> Facets:
    """The counts that belong to a list."""
    counts: FacetCounts = request.app.state.facets
    return await counts.read(filters, view)


_REFINING = [
    described("language", "Only courses in this language, as the facet spells it."),
    described("pacing", "`self` or `instructor`."),
    described("mode", "Only courses that offer this mode now."),
    described("sort", "`relevance` (default when something is searched for) or `id`."),
    described("facets", "`0` leaves the counts out.", "boolean"),
]
documented(router, COURSES, search_courses, CatalogPage, [VIEW, *FILTERS, *_REFINING, *PAGING])
