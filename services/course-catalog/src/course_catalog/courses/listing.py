"""Lists of courses: arrays of positions kept in memory, brought up to date by what changed, cut into pages."""

import asyncio
import sys
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import asyncpg

from common.pagination import InvalidPage, PageRequest, page_count
from course_catalog.accounts.models import Viewer
from course_catalog.courses import statements
from course_catalog.courses.statements import Shape

_ATTEMPTS = 4
_ENTRY_BYTES = 1_000
_MAX_EXTRAS = 2_000


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list request asks for, beside whose view it is."""

    org: str | None = None
    mobile: bool | None = None
    active_only: bool = False
    search: str | None = None
    keys: tuple[str, ...] | None = None
    permissions: tuple[str, ...] = ()

    def shape(self, *, sees_all: bool) -> Shape:
        return Shape(
            sees_all=sees_all,
            permissions=() if sees_all else self.permissions,
            mobile=self.mobile,
            active_only=self.active_only,
            by_org=self.org is not None,
            by_text=self.search is not None,
            by_keys=self.keys is not None,
        )

    def values(self) -> list[object]:
        """The parameters of `Shape.matching`, in its order."""
        values: list[object] = []
        if self.org is not None:
            values.append(self.org.casefold())
        if self.search is not None:
            values.append(like(self.search))
        if self.keys is not None:
            values.append(list(self.keys))
        return values


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its items as JSON text without the brackets, and how many courses the whole list has."""

    items: str
    count: int
    pages: int


class Database(Protocol):
    """A pool or one connection of it."""

    async def fetchrow(self, query: str, *args: object) -> asyncpg.Record: ...


@dataclass(slots=True)
class Positions:
    """One list as of a revision, good until an instant. `rev` 0: not read yet."""

    shape: Shape
    values: list[object]
    ids: "array[int]" = field(default_factory=lambda: array("q"))
    rev: int = 0
    epoch: int = 0
    as_of: datetime | None = None
    until: datetime | None = None
    size: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def state(self) -> tuple[int, datetime | None]:
        return self.rev, self.until

    async def refresh(self, database: Database) -> None:
        """Bring the array up to date. It changes without an await in between, so no reader sees half of a change."""
        if self.rev:
            row = await database.fetchrow(statements.delta(self.shape), self.rev, self.as_of, *self.values)
            same = row["epoch"] == self.epoch and row["rev"] >= self.rev  # smaller: a restored database
            if same and len(row["changed"]) <= statements.DELTA_LIMIT:
                apply(self.ids, row["changed"])
                self.rev, self.as_of, self.until = row["rev"], row["as_of"], row["until"]
                return
        row = await database.fetchrow(statements.build(self.shape), *self.values)
        ids = array("q", row["ids"])
        if sys.byteorder == "little":
            ids.byteswap()
        self.ids, self.rev, self.epoch = ids, row["rev"], row["epoch"]
        self.as_of, self.until = row["as_of"], row["until"]


def apply(ids: "array[int]", changed: Sequence[int]) -> None:
    """Put the positive positions into the sorted array and take the negative ones out."""
    for position in changed:
        place = bisect_left(ids, abs(position))
        here = place < len(ids) and ids[place] == abs(position)
        if position > 0 and not here:
            ids.insert(place, position)
        elif position < 0 and here:
            ids.pop(place)


def cut(ids: Sequence[int], extras: Sequence[int], page: PageRequest) -> list[int]:
    """The positions of one page of both sorted lists together, at a cost that depends on the extras only."""
    first, last = page.offset, page.offset + page.size
    if not extras:
        return list(ids[first:last])
    at = [bisect_left(ids, position) + number for number, position in enumerate(extras)]
    low, high = bisect_left(at, first), bisect_left(at, last)
    return sorted([*ids[first - low : max(first - low, last - high)], *extras[low:high]])


def like(search: str) -> str:
    """A pattern for text that contains *search* itself, whatever characters it has."""
    escaped = search.casefold().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


Key = tuple[Filters, bool]
State = tuple[int, datetime | None]


class Listing:
    """The lists that one process keeps, least recently used out first, within a number of bytes."""

    def __init__(self, pool: asyncpg.Pool, *, cache_bytes: int) -> None:
        self._pool, self._limit, self._bytes = pool, cache_bytes, 0
        self._lists: OrderedDict[Key, Positions] = OrderedDict()
        self._extras: OrderedDict[tuple[Key, Viewer], tuple[State, list[int]]] = OrderedDict()

    async def page(self, filters: Filters, viewer: Viewer, page: PageRequest, *, base: str | None) -> Page:
        """One page of items with absolute URLs below *base*, or of bare ids when there is none.

        Raises `InvalidPage` for a page after the last.
        """
        key = (filters, viewer.sees_all)
        positions = self._find(key)
        for _ in range(_ATTEMPTS):
            state = positions.state
            if positions.rev:
                extras = await self._extras_of(key, positions, viewer)
                if extras is not None and (found := await self._read(self._pool, positions, extras, page, base)):
                    return found
            # one refresh at a time per list: who waited for another's takes its result
            async with positions.lock:
                if positions.state == state:
                    await positions.refresh(self._pool)
                    self._weigh(key, positions)
        return await self._read_at_rest(key, viewer, page, base)

    def _find(self, key: Key) -> Positions:
        if positions := self._lists.get(key):
            self._lists.move_to_end(key)
            return positions
        filters, sees_all = key
        positions = Positions(filters.shape(sees_all=sees_all), filters.values())
        if filters.keys is None:  # a list of named courses is small, and hardly asked for twice
            self._lists[key] = positions
        return positions

    def _weigh(self, key: Key, positions: Positions) -> None:
        if self._lists.get(key) is not positions:
            return
        size = _ENTRY_BYTES + 8 * len(positions.ids) + 4 * len(key[0].search or "")
        self._bytes += size - positions.size
        positions.size = size
        while self._bytes > self._limit and len(self._lists) > 1:
            _, dropped = self._lists.popitem(last=False)
            self._bytes -= dropped.size

    async def _extras_of(self, key: Key, positions: Positions, viewer: Viewer) -> Sequence[int] | None:
        """What the viewer's roles add to the list; None when the list is no longer that of the database."""
        if viewer.sees_all or viewer.user_id is None:
            return ()
        place, state = (key, viewer), positions.state
        known = self._extras.get(place)
        if known and known[0] == state:
            self._extras.move_to_end(place)
            return known[1]
        rev, ids = await read_extras(self._pool, positions, viewer)
        if rev != state[0] or state != positions.state:
            return None
        if key[0].keys is None:
            self._extras[place] = (state, ids)
            self._extras.move_to_end(place)
        while len(self._extras) > _MAX_EXTRAS:
            self._extras.popitem(last=False)
        return ids

    @staticmethod
    async def _read(
        database: Database, positions: Positions, extras: Sequence[int], page: PageRequest, base: str | None
    ) -> Page | None:
        """None when the array is not what the database shows now."""
        count = len(positions.ids) + len(extras)
        arguments = [cut(positions.ids, extras, page), positions.rev, positions.until]
        if base is None:
            row = await database.fetchrow(statements.IDS, *arguments)
        else:
            row = await database.fetchrow(statements.PAGE, *arguments, base)
        if row["items"] is None:
            return None
        pages = page_count(count, page.size)
        if page.number > pages:
            raise InvalidPage
        return Page(row["items"], count, pages)

    async def _read_at_rest(self, key: Key, viewer: Viewer, page: PageRequest, base: str | None) -> Page:
        """In one snapshot: what is left when changes come faster than reads."""
        filters, sees_all = key
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            positions = Positions(filters.shape(sees_all=sees_all), filters.values())
            await positions.refresh(connection)
            extras: Sequence[int] = ()
            if not viewer.sees_all and viewer.user_id is not None:
                _, extras = await read_extras(connection, positions, viewer)
            found = await self._read(connection, positions, extras, page, base)
        if found is None:
            raise AssertionError("a snapshot does not change")
        return found


async def read_extras(database: Database, positions: Positions, viewer: Viewer) -> tuple[int, list[int]]:
    """(revision, positions) of the courses that only the viewer's roles put on the list."""
    shape = positions.shape
    orgs = viewer.instructor_orgs if "instructor" in shape.permissions else viewer.orgs
    values: list[object] = [viewer.user_id, *([list(orgs)] if orgs else []), *positions.values]
    row = await database.fetchrow(statements.extras(shape, by_orgs=bool(orgs)), *values)
    return row["rev"], row["ids"]
