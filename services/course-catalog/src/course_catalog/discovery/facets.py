"""Facets: how many courses of a list have each organization, language, pace and mode. Exact, whatever changes.

What is counted of a course (its traits) is kept in memory by position, like a list, and is brought up to date by what
changed. So counting is a look-up for each course of a list, and is done once for each state of it: ten milliseconds
for a list of 100,000, where the database needs two hundred and more.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from course_catalog.accounts.models import Viewer
from course_catalog.courses.listing import Audience, Database, Filters, Key, Listing, Positions, State, read_positions
from course_catalog.courses.statements import DELTA_LIMIT
from course_catalog.discovery import statements

FACETS = ("org", "language", "pacing", "mode")
_MOST_KEPT = 100_000

Facets = Mapping[str, Sequence[tuple[str, int]]]


@dataclass(frozen=True, slots=True)
class Traits:
    """What facets count of a course. No modes: it offers the default one."""

    org: str
    language: str
    pacing: str
    modes: tuple[str, ...]

    @classmethod
    def of(cls, row: asyncpg.Record) -> "Traits":
        pacing = "self" if row["self_paced"] else "instructor"
        # a mode may be there twice, in two currencies
        return cls(row["org"], row["language"], pacing, tuple(dict.fromkeys(row["slugs"] or ())))


@dataclass(slots=True)
class TraitTable:
    """The traits of every course, as of a revision and good until an instant. `rev` 0: not read yet."""

    rev: int = 0
    epoch: int = 0
    as_of: datetime | None = None
    until: datetime | None = None
    kinds: list[Traits] = field(default_factory=list)
    numbers: dict[Traits, int] = field(default_factory=dict)
    by_position: dict[int, int] = field(default_factory=dict)
    """Position → number of its kind: there are few kinds."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def state(self) -> State:
        return self.rev, self.until

    async def refresh(self, database: Database) -> None:
        """Bring it up to date. It changes without an await in between, so nobody counts half of a change."""
        if self.rev:
            rows = await database.fetch(statements.CHANGED_TRAITS, self.rev, self.as_of)
            same = rows[0]["epoch"] == self.epoch and rows[0]["rev"] >= self.rev  # smaller: a restored database
            if same and len(rows) <= DELTA_LIMIT:
                self._take(rows)
                return
        rows = await database.fetch(statements.ALL_TRAITS)
        self.kinds, self.numbers, self.by_position = [], {}, {}
        for row in rows:
            if row["ids"] is not None:
                self.by_position.update(dict.fromkeys(read_positions(row["ids"]), self._number(Traits.of(row))))
        self._date(rows[0])

    def _take(self, rows: Sequence[asyncpg.Record]) -> None:
        for row in rows:
            if row["pos"] is None:
                continue
            if row["deleted"]:
                self.by_position.pop(row["pos"], None)
            else:
                self.by_position[row["pos"]] = self._number(Traits.of(row))
        self._date(rows[0])

    def _date(self, row: asyncpg.Record) -> None:
        self.rev, self.epoch, self.as_of, self.until = row["rev"], row["epoch"], row["as_of"], row["until"]

    def _number(self, traits: Traits) -> int:
        number = self.numbers.setdefault(traits, len(self.kinds))
        if number == len(self.kinds):
            self.kinds.append(traits)
        return number

    def count(self, ids: Iterable[int]) -> Counter[int]:
        """How many of these courses are of each kind."""
        return Counter(map(self.by_position.__getitem__, ids))

    def add_up(self, counted: Mapping[int, int], *, default_mode: str) -> Facets:
        """Each facet's values, most frequent first. An organization is spelled as the first of its courses does."""
        found: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
        spelled: dict[str, str] = {}
        for number, courses in counted.items():
            kind = self.kinds[number]
            folded = kind.org.casefold()
            spelled[folded] = min(spelled.get(folded, kind.org), kind.org)
            found["org"][folded] += courses
            if kind.language:
                found["language"][kind.language] += courses
            found["pacing"][kind.pacing] += courses
            for mode in kind.modes or (default_mode,):
                found["mode"][mode] += courses
        found["org"] = Counter({spelled[folded]: courses for folded, courses in found["org"].items()})
        return {name: sorted(counts.items(), key=lambda each: (-each[1], each[0])) for name, counts in found.items()}


@dataclass(frozen=True, slots=True)
class _Kept:
    """The counts of one list, roles and invitations apart."""

    states: tuple[State, State]
    counted: Counter[int]
    facets: Facets
    weight: int


class FacetCounts:
    """The counts that one process keeps, least recently used out first."""

    def __init__(self, pool: asyncpg.Pool, listing: Listing, *, default_mode: str) -> None:
        self._pool, self._listing, self._default = pool, listing, default_mode
        self._traits = TraitTable()
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._weight = 0

    async def read(self, filters: Filters, viewer: Viewer) -> Facets:
        """The counts of the whole list that the viewer gets."""
        key = (filters, Audience.of(viewer))

        async def current(database: Database, positions: Positions, extras: Sequence[int]) -> Facets | None:
            if not await self._are_current(positions):
                return None
            return self._count(key, positions, extras)

        async def at_rest(database: Database, positions: Positions, extras: Sequence[int]) -> Facets:
            traits = TraitTable()
            await traits.refresh(database)
            counted = traits.count(positions.ids) + traits.count(extras)
            return traits.add_up(counted, default_mode=self._default)

        return await self._listing.read(filters, viewer, current, at_rest=at_rest)

    async def _are_current(self, positions: Positions) -> bool:
        """Whether the list is what the database shows, and the traits are of the same revision."""
        state, seen = positions.state, self._traits.state
        row = await self._pool.fetchrow(statements.CURRENT, *state, *seen)
        if not row["list"]:
            return False
        if not row["traits"]:
            async with self._traits.lock:
                if self._traits.state == seen:
                    await self._traits.refresh(self._pool)
        # the list or the traits may have gone on meanwhile
        return positions.state == state and self._traits.rev == state[0]

    def _count(self, key: Key, positions: Positions, extras: Sequence[int]) -> Facets:
        states = positions.state, self._traits.state
        kept = self._kept.get(key)
        if kept is None or kept.states != states:
            counted = self._traits.count(positions.ids)
            facets = self._traits.add_up(counted, default_mode=self._default)
            weight = 10 + len(counted) + sum(map(len, facets.values())) + key[0].length // 100
            kept = _Kept(states, counted, facets, weight)
            self._keep(key, kept)
        self._kept.move_to_end(key)
        if not extras:
            return kept.facets
        return self._traits.add_up(kept.counted + self._traits.count(extras), default_mode=self._default)

    def _keep(self, key: Key, kept: _Kept) -> None:
        if known := self._kept.pop(key, None):
            self._weight -= known.weight
        self._kept[key] = kept
        self._weight += kept.weight
        while self._weight > _MOST_KEPT and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._weight -= dropped.weight
