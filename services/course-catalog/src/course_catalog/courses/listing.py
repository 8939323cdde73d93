"""Lists of courses: arrays of positions kept in memory, brought up to date by what changed, cut into pages."""

import asyncio
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol, TypeVar

import asyncpg

from common.pagination import InvalidPage, PageRequest, page_count
from course_catalog.accounts.models import Viewer
from course_catalog.courses import statements, words
from course_catalog.courses.cursors import Cursor
from course_catalog.courses.statements import Shape, Special

_ATTEMPTS = 4
_ENTRY_BYTES = 1_000

State = tuple[int, datetime | None]
T = TypeVar("T")


class Audience(Enum):
    """Whose list an array is, roles and invitations apart."""

    EVERYBODY = "everybody"
    SIGNED_IN = "signed in"
    STAFF = "global staff"

    @classmethod
    def of(cls, viewer: Viewer) -> "Audience":
        if viewer.sees_all:
            return cls.STAFF
        return cls.EVERYBODY if viewer.user_id is None else cls.SIGNED_IN


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list request asks for, beside whose view it is."""

    org: str | None = None
    mobile: bool | None = None
    active_only: bool = False
    language: str | None = None
    self_paced: bool | None = None
    mode: str | None = None
    is_default_mode: bool = False
    """`mode` is the one that a course without modes offers."""
    search: str | None = None
    keys: tuple[str, ...] | None = None
    permissions: tuple[str, ...] = ()

    def shape(self, audience: Audience) -> Shape:
        sees_all = audience is Audience.STAFF
        return Shape(
            sees_all=sees_all,
            signed_in=audience is Audience.SIGNED_IN,
            permissions=() if sees_all else self.permissions,
            mobile=self.mobile,
            active_only=self.active_only,
            self_paced=self.self_paced,
            by_org=self.org is not None,
            by_language=self.language is not None,
            by_mode=self.mode is not None,
            by_default_mode=self.mode is not None and self.is_default_mode,
            by_text=self.search is not None,
            by_keys=self.keys is not None,
        )

    @property
    def length(self) -> int:
        """Of all its texts: what it takes to remember them."""
        texts = (self.org, self.language, self.mode, self.search, *(self.keys or ()))
        return sum(len(text) for text in texts if text)

    def values(self, *, words_too: bool = True) -> list[object]:
        """The parameters of `Shape.matching`, in its order."""
        values: list[object] = []
        if self.org is not None:
            values.append(self.org.casefold())
        if self.language is not None:
            values.append(self.language)
        if self.mode is not None:
            values.append(self.mode)
        if self.search is not None and words_too:
            values.append(words.query(self.search) or "")  # an empty query finds nothing
        if self.keys is not None:
            values.append(list(self.keys))
        return values


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its items as JSON text without the brackets, and how many courses the whole list has."""

    items: str
    count: int
    pages: int
    onward: Cursor | None = None
    """Where the next page begins, when there is one."""


class Database(Protocol):
    """A pool or one connection of it."""

    async def fetch(self, query: str, *args: object) -> Sequence[asyncpg.Record]: ...
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
        ids = read_positions(row["ids"])
        self.ids, self.rev, self.epoch = ids, row["rev"], row["epoch"]
        self.as_of, self.until = row["as_of"], row["until"]


def read_positions(data: bytes) -> "array[int]":
    """Positions as PostgreSQL's `int8send` writes them."""
    ids = array("q", data)
    if sys.byteorder == "little":
        ids.byteswap()
    return ids


def apply(ids: "array[int]", changed: Sequence[int]) -> None:
    """Put the positive positions into the sorted array and take the negative ones out."""
    for position in changed:
        place = bisect_left(ids, abs(position))
        here = place < len(ids) and ids[place] == abs(position)
        if position > 0 and not here:
            ids.insert(place, position)
        elif position < 0 and here:
            ids.pop(place)


def cut(ids: Sequence[int], extras: Sequence[int], first: int, size: int) -> list[int]:
    """So many positions of both sorted lists together, at a cost that depends on the extras only."""
    last = first + size
    if not extras:
        return list(ids[first:last])
    at = [bisect_left(ids, position) + number for number, position in enumerate(extras)]
    low, high = bisect_left(at, first), bisect_left(at, last)
    return sorted([*ids[first - low : max(first - low, last - high)], *extras[low:high]])


Key = tuple[Filters, Audience]


# (database, the list, what the viewer has beyond it) → None when the list is not what the database shows now
Reader = Callable[[Database, Positions, Sequence[int]], Awaitable[T | None]]


@dataclass(slots=True)
class Extras:
    """What one viewer has beyond an array, as of the array's state."""

    state: State
    ids: "array[int]"
    size: int


class Listing:
    """The lists that one process keeps, least recently used out first, within a number of bytes."""

    def __init__(self, pool: asyncpg.Pool, *, cache_bytes: int) -> None:
        self._pool, self._limit, self._bytes = pool, cache_bytes, 0
        self._lists: OrderedDict[Key, Positions] = OrderedDict()
        self._extras: OrderedDict[tuple[Key, Viewer], Extras] = OrderedDict()

    async def page(
        self, filters: Filters, viewer: Viewer, page: PageRequest, *, base: str | None, after: Cursor | None = None
    ) -> Page:
        """One page of items with absolute URLs below *base*, or of bare ids when there is none.

        With *after* it begins behind that course, wherever the course stands now, and may be empty; without, it is
        the page of that number. Raises `InvalidPage` for a page after the last.
        """

        async def read(database: Database, positions: Positions, extras: Sequence[int]) -> Page | None:
            return await _read(database, positions, extras, page, base, after)

        return await self.read(filters, viewer, read)

    async def read(self, filters: Filters, viewer: Viewer, reader: Reader[T], *, at_rest: Reader[T] | None = None) -> T:
        """What *reader* makes of a list that it finds current.

        While changes come faster than reads, *at_rest* (or the same reader) reads in one snapshot instead.
        """
        key = (filters, Audience.of(viewer))
        positions = self._find(key)
        for _ in range(_ATTEMPTS):
            state = positions.state
            if positions.rev:
                extras = await self._extras_of(key, positions, viewer)
                if extras is not None and (found := await reader(self._pool, positions, extras)) is not None:
                    return found
            # one refresh at a time per list: who waited for another's takes its result
            async with positions.lock:
                if positions.state == state:
                    try:
                        await positions.refresh(self._pool)
                    finally:
                        self._weigh(key, positions)
        return await self._read_at_rest(key, viewer, at_rest or reader)

    def _find(self, key: Key) -> Positions:
        if positions := self._lists.get(key):
            self._lists.move_to_end(key)
            return positions
        filters, audience = key
        positions = Positions(filters.shape(audience), filters.values())
        if filters.keys is None:  # a list of named courses is small, and hardly asked for twice
            self._lists[key] = positions
        return positions

    def _weigh(self, key: Key, positions: Positions) -> None:
        if self._lists.get(key) is not positions:
            return
        size = _ENTRY_BYTES + 8 * len(positions.ids) + 4 * key[0].length
        self._bytes += size - positions.size
        positions.size = size
        self._shed()

    def _shed(self) -> None:
        """Forget what was not used for longest; extras first, they are read again at little cost."""
        while self._bytes > self._limit and self._extras:
            _, extras = self._extras.popitem(last=False)
            self._bytes -= extras.size
        while self._bytes > self._limit and len(self._lists) > 1:
            _, dropped = self._lists.popitem(last=False)
            self._bytes -= dropped.size

    async def _extras_of(self, key: Key, positions: Positions, viewer: Viewer) -> Sequence[int] | None:
        """What roles and invitations add to the list; None when the list is no longer that of the database."""
        if viewer.sees_all or viewer.user_id is None:
            return ()
        place, state = (key, viewer), positions.state
        known = self._extras.get(place)
        if known and known.state == state:
            self._extras.move_to_end(place)
            return known.ids
        rev, ids = await read_extras(self._pool, positions, viewer)
        if rev != state[0] or state != positions.state:
            return None
        if key[0].keys is None:
            size = _ENTRY_BYTES + 8 * len(ids) + 4 * key[0].length
            self._keep(place, Extras(state, array("q", ids), size))
        return ids

    def _keep(self, place: tuple[Key, Viewer], extras: Extras) -> None:
        if known := self._extras.pop(place, None):
            self._bytes -= known.size
        self._extras[place] = extras
        self._bytes += extras.size
        self._shed()

    async def _read_at_rest(self, key: Key, viewer: Viewer, reader: Reader[T]) -> T:
        """In one snapshot: what is left when changes come faster than reads."""
        filters, audience = key
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            positions = Positions(filters.shape(audience), filters.values())
            await positions.refresh(connection)
            extras: Sequence[int] = ()
            if not viewer.sees_all and viewer.user_id is not None:
                _, extras = await read_extras(connection, positions, viewer)
            found = await reader(connection, positions, extras)
        if found is None:
            raise AssertionError("a snapshot does not change")
        return found


async def _read(
    database: Database,
    positions: Positions,
    extras: Sequence[int],
    page: PageRequest,
    base: str | None,
    after: Cursor | None,
) -> Page | None:
    """None when the array is not what the database shows now."""
    state = positions.state
    place = None if after is None else await _place_of(database, after, positions.epoch)
    if (after is not None and place is None) or state != positions.state:
        return None
    # no await from here to the arguments: a refresh changes the array in place
    count = len(positions.ids) + len(extras)
    first = page.offset
    if place is not None:
        first = bisect_right(positions.ids, place) + bisect_right(extras, place)
    wanted = cut(positions.ids, extras, first, page.size)
    arguments = [wanted, positions.rev, positions.until]
    epoch = positions.epoch
    if base is None:
        row = await database.fetchrow(statements.IDS, *arguments)
    else:
        row = await database.fetchrow(statements.PAGE, *arguments, base)
    if row["items"] is None:
        return None
    pages = page_count(count, page.size)
    if after is None and page.number > pages:
        raise InvalidPage
    more = first + page.size < count
    onward = Cursor(epoch, wanted[-1], row["last"]) if more and wanted else None
    return Page(row["items"], count, pages, onward)


async def _place_of(database: Database, after: Cursor, epoch: int) -> int | None:
    """The position a cursor stands at; None when the list is of another epoch than the database."""
    if after.epoch == epoch:
        return after.position
    row = await database.fetchrow(statements.PLACE, after.course_key)
    if row["epoch"] != epoch:
        return None
    return int(row["pos"] or 0)


async def read_extras(database: Database, positions: Positions, viewer: Viewer) -> tuple[int, list[int]]:
    """(revision, positions) of the courses that only roles and invitations of the viewer put on the list."""
    shape = positions.shape
    ways, values = ways_of(shape, viewer)
    row = await database.fetchrow(statements.extras(shape, ways), *values, *positions.values)
    return row["rev"], row["ids"]


def ways_of(shape: Shape, viewer: Viewer) -> tuple[Special, list[object]]:
    """A viewer's ways into courses, and the parameters for them."""
    orgs = viewer.instructor_orgs if "instructor" in shape.permissions else viewer.orgs
    values: list[object] = [viewer.user_id]
    if orgs:
        values.append(list(orgs))
    if viewer.names:
        values += [list(viewer.domains), list(viewer.names)]
    return Special(by_orgs=bool(orgs), by_invitation=bool(viewer.names)), values
