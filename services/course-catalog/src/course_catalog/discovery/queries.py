"""Reads of relevance and facets."""

import base64
import binascii
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from common.pagination import InvalidPage, PageRequest, page_count
from course_catalog.accounts.models import ANYBODY, Viewer
from course_catalog.courses import words
from course_catalog.courses.listing import Audience, Filters, State, ways_of
from course_catalog.courses.statements import Shape, Special
from course_catalog.discovery import statements

FACETS = ("org", "language", "pacing", "mode")
_MOST_KEPT = 500
_PATIENCE = 10

Facets = Mapping[str, Sequence[tuple[str, int]]]


@dataclass(frozen=True, slots=True)
class RankedCursor:
    """Behind this course in an order by relevance."""

    rank: float
    course_key: str

    def __str__(self) -> str:
        plain = f"r{self.rank.hex()} {self.course_key}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> "RankedCursor":
        """Raises `ValueError`."""
        try:
            plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
        except binascii.Error as error:
            raise ValueError(text) from error
        rank, _, key = plain.partition(" ")
        if not rank.startswith("r") or "\x00" in key:
            raise ValueError(text)
        found = float.fromhex(rank[1:])
        if not 0 <= found < 1e9:
            raise ValueError(text)
        return cls(found, key)


@dataclass(frozen=True, slots=True)
class RankedPage:
    """One page of a search, best first."""

    items: str
    count: int
    pages: int
    onward: RankedCursor | None


async def search(
    pool: asyncpg.Pool,
    filters: Filters,
    viewer: Viewer,
    page: PageRequest,
    *,
    base: str,
    after: RankedCursor | None = None,
) -> RankedPage:
    """What *filters* (with a search) find, by relevance. Raises `InvalidPage`."""
    shape, ways, values = _asked(filters, viewer)
    words_asked = words.query(filters.search or "") or ""
    statement = statements.ranked(shape, ways, after=after is not None)
    place = [page.offset] if after is None else [after.rank, after.course_key]
    row = await pool.fetchrow(
        statement, *values, *filters.values(words_too=False), words_asked, base, page.size, *place
    )
    count, pages = row["count"], page_count(row["count"], page.size)
    if after is None and page.number > pages:
        raise InvalidPage
    more = row["left"] > page.size + (page.offset if after is None else 0)
    onward = RankedCursor(row["last_rank"], row["last_key"]) if more and row["last_key"] else None
    return RankedPage(row["items"], count, pages, onward)


@dataclass(frozen=True, slots=True)
class _Kept:
    state: State
    until: datetime
    made_at: float
    cost: float
    facets: Facets

    def serves(self, state: State) -> bool:
        """Counts are of the list's own state, or so young that making them again would take most of the time.

        They are one pass over all courses: 5 ms of 10,000, half a second of 100,000. While courses change all the time
        they lag ten times that behind.
        """
        now = time.monotonic()
        young = now - self.made_at < _PATIENCE * self.cost
        return young or (self.state == state and self.until > datetime.now(self.until.tzinfo))


class FacetCounts:
    """The counts that one process keeps."""

    def __init__(self, pool: asyncpg.Pool, *, default_mode: str) -> None:
        self._pool, self._default = pool, default_mode
        self._kept: OrderedDict[tuple[Filters, Viewer], _Kept] = OrderedDict()

    async def read(self, filters: Filters, viewer: Viewer, *, state: State, special: bool) -> Facets:
        """The counts of a list that is in *state*; *special*: the viewer has courses in it that others have not."""
        audience = Viewer(sees_all=viewer.sees_all, user_id=None if viewer.user_id is None else 0)
        place = (filters, viewer if special else audience)
        known = self._kept.get(place)
        if known and known.serves(state):
            self._kept.move_to_end(place)
            return known.facets
        started = time.monotonic()
        shape, ways, values = _asked(filters, viewer if special else None, audience=Audience.of(viewer))
        statement = statements.facets(shape, ways, default_mode=self._default)
        row = await self._pool.fetchrow(statement, *values, *filters.values())
        found: dict[str, list[tuple[str, int]]] = {name: [] for name in FACETS}
        for facet, value, count in row["counts"]:
            found[facet].append((value, count))
        now = time.monotonic()
        self._kept[place] = _Kept(state, row["until"], now, now - started, found)
        if len(self._kept) > _MOST_KEPT:
            self._kept.popitem(last=False)
        return found


def _asked(
    filters: Filters, viewer: Viewer | None, *, audience: Audience | None = None
) -> tuple[Shape, Special | None, list[object]]:
    shape = filters.shape(audience or Audience.of(viewer or ANYBODY))
    if viewer is None or viewer.sees_all or viewer.user_id is None:
        return shape, None, []
    ways, values = ways_of(shape, viewer)
    return shape, ways, values
