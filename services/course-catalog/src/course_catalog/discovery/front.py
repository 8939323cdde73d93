"""`/`: the catalogue as a page, as the person looking may see it."""

from dataclasses import replace

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.app import add_plain_route
from common.identity import Caller, caller_of
from common.pages import page_response
from common.pagination import InvalidPage, PageRequest, page_links, parse_page
from common.resources import Resources
from course_catalog.accounts.models import Viewer
from course_catalog.accounts.queries import viewer
from course_catalog.courses.errors import BadParameters
from course_catalog.courses.listing import Filters, Listing
from course_catalog.courses.pages import render_missing
from course_catalog.courses.parameters import Parameters, read_cursor
from course_catalog.discovery.facets import Facets
from course_catalog.discovery.pages import LABELS, Asked, Shown, render_catalogue
from course_catalog.discovery.parameters import read_facet_filters, read_ranked_cursor
from course_catalog.discovery.queries import search
from course_catalog.discovery.routes import facets_of
from course_catalog.settings import settings_of

PAGE_OF_CARDS = 24

router = APIRouter()


async def show_catalogue(request: Request) -> Response:
    """Cards of courses; what is searched for comes best first."""
    caller = caller_of(request)
    query = request.scope["query_string"].decode("latin-1")
    parameters = Parameters(query)
    try:
        return page_response(await _render(request, caller, query, parameters))
    except InvalidPage as refusal:
        return page_response(render_missing(refusal.message, user=caller.username), 404)
    except BadParameters:
        return page_response(render_missing("This address makes no sense.", user=caller.username), 400)


async def _render(request: Request, caller: Caller, query: str, parameters: Parameters) -> str:
    resources: Resources = request.state.resources
    plain = Filters(
        org=parameters.text("org").strip() or None,
        search=parameters.text("search_term").strip() or None,
        permissions=("see_in_catalog",),
    )
    filters = read_facet_filters(parameters, plain, default_mode=settings_of(resources).default_mode)
    view = viewer(caller)
    page = parse_page(parameters.page()[0], None, default=PAGE_OF_CARDS, maximum=PAGE_OF_CARDS)
    items, count, pages, cursor = await _read(request, parameters, filters, view, page)
    following, previous = page_links("/", query, page.number, pages, cursor=cursor or None, more=bool(cursor))
    chosen = {name: text for name in LABELS if (text := parameters.text(name).strip())}
    shown = Shown(
        courses=orjson.loads(f"[{items}]"),
        count=count,
        page=page.number,
        pages=pages,
        following=following,
        previous=previous,
        facets=await _facets(request, filters, view, chosen),
    )
    return render_catalogue(Asked(filters.search or "", chosen), shown, user=caller.username)


async def _read(
    request: Request, parameters: Parameters, filters: Filters, view: Viewer, page: PageRequest
) -> tuple[str, int, int, str]:
    if filters.search is not None:
        resources: Resources = request.state.resources
        after = read_ranked_cursor(parameters)
        found = await search(resources.pool, filters, view, page, base="", after=after)
        return found.items, found.count, found.pages, str(found.onward or "")
    listing: Listing = request.app.state.listing
    listed = await listing.page(filters, view, page, base="", after=read_cursor(parameters))
    return listed.items, listed.count, listed.pages, str(listed.onward or "")


async def _facets(request: Request, filters: Filters, view: Viewer, chosen: dict[str, str]) -> Facets:
    """For each choice what there is to choose, given the others."""
    unset = {
        "org": replace(filters, org=None),
        "language": replace(filters, language=None),
        "pacing": replace(filters, self_paced=None),
        "mode": replace(filters, mode=None, is_default_mode=False),
    }
    counts = dict(await facets_of(request, filters, view))
    for name in chosen:
        counts[name] = (await facets_of(request, unset[name], view))[name]
    return counts


add_plain_route(router, "/", show_catalogue, include_in_schema=False)
