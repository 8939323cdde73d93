"""Query strings of the catalogue's own search."""

from dataclasses import replace
from typing import Literal

from course_catalog.courses.errors import BAD_CURSOR, BadParameters
from course_catalog.courses.listing import Filters
from course_catalog.courses.parameters import Parameters
from course_catalog.discovery.queries import RankedCursor

PACES = {"self": True, "instructor": False}
Sort = Literal["relevance", "id"]


def read_facet_filters(parameters: Parameters, filters: Filters, *, default_mode: str) -> Filters:
    """*filters* and what refines them. Raises `BadParameters`."""
    pacing, mode = parameters.text("pacing"), parameters.text("mode")
    if pacing and pacing not in PACES:
        raise BadParameters(pacing=f"'{pacing}' is not a pace; there are self and instructor.")
    return replace(
        filters,
        language=parameters.text("language").casefold() or None,
        self_paced=PACES.get(pacing),
        mode=mode or None,
        is_default_mode=mode == default_mode,
    )


def read_sort(parameters: Parameters, filters: Filters) -> Sort:
    """The order asked for. Raises `BadParameters`."""
    match parameters.text("sort"):
        case "":
            return "relevance" if filters.search else "id"
        case "id":
            return "id"
        case "relevance" if filters.search:
            return "relevance"
        case "relevance":
            raise BadParameters(sort="An order by relevance needs a search_term.")
        case other:
            raise BadParameters(sort=f"'{other}' is not an order; there are relevance and id.")


def read_ranked_cursor(parameters: Parameters) -> RankedCursor | None:
    """Where a `next` link of ours points. Raises `BadParameters`."""
    text = parameters.text("cursor")
    try:
        return RankedCursor.parse(text) if text else None
    except ValueError as error:
        raise BadParameters(cursor=BAD_CURSOR) from error
