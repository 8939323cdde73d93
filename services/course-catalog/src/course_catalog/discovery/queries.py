"""Reads by relevance."""

import base64
import binascii
from dataclasses import dataclass

import asyncpg

from common.pagination import InvalidPage, PageRequest, page_count
from course_catalog.accounts.models import Viewer
from course_catalog.courses import words
from course_catalog.courses.listing import Audience, Filters, ways_of
from course_catalog.courses.statements import Shape, Special
from course_catalog.discovery import statements


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
        try:
            found = float.fromhex(rank[1:])
        except OverflowError as error:
            raise ValueError(text) from error
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


def _asked(filters: Filters, viewer: Viewer) -> tuple[Shape, Special | None, list[object]]:
    shape = filters.shape(Audience.of(viewer))
    if viewer.sees_all or viewer.user_id is None:
        return shape, None, []
    ways, values = ways_of(shape, viewer)
    return shape, ways, values
