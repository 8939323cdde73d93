"""Many enrollments at once: row, history and event for each, in a few statements however many there are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import uuid4

import asyncpg
import orjson

from common.messaging.outbox import MAX_ITEMS
from enrollment.events import EnrollmentsChanged
from enrollment.outgoing import Outgoing

# Rows that were there are locked by the caller; one that has appeared since is left alone, and the count says so. No
# `do update`: whoever holds such a row may be waiting for a seat that the caller has locked.
_STORE: Final = """
with i as materialized (
  select * from unnest($1::text::bigint[], $2::text::bigint[], $3::text::bigint[], $4::text::int[])
  as i(user_id, course_n, version, kind)
),
k as materialized (
  select * from unnest($5::text[], $6::boolean[], $7::text[], $8::boolean[], $9::text[], $10::boolean[], $11::boolean[],
    $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::timestamptz[]) with ordinality
  as k(mode, is_active, old_mode, old_active, requested_mode, requested_active, forced,
    source, actor, reason, broker_user, command_id, commanded_at, kind)
),
ui as (
  insert into enrollment (user_id, course_n, mode, is_active, version, commanded_at)
  select i.user_id, i.course_n, k.mode, k.is_active, i.version, k.commanded_at from i join k using (kind)
  where i.version = 1
  on conflict (user_id, course_n) do nothing
  returning 1
),
uu as (
  update enrollment e set mode = k.mode, is_active = k.is_active, version = i.version,
    commanded_at = coalesce(k.commanded_at, e.commanded_at)
  from i join k using (kind)
  where i.version > 1 and e.user_id = i.user_id and e.course_n = i.course_n and e.version = i.version - 1
  returning 1
),
h as (
  insert into enrollment_history (user_id, course_n, version, source, actor, reason, broker_user, command_id,
    requested_mode, requested_active, old_mode, old_active, mode, is_active, forced)
  select i.user_id, i.course_n, i.version, k.source, k.actor, k.reason, k.broker_user, k.command_id,
    k.requested_mode, k.requested_active, k.old_mode, k.old_active, k.mode, k.is_active, k.forced
  from i join k using (kind)
)
select (select count(*) from ui) + (select count(*) from uu)
"""
_SEATS: Final = """
update seat set taken = greatest(taken + i.delta, 0)
from unnest($1::bigint[], $2::int[]) as i(course_n, delta) where seat.course_n = i.course_n
"""
_ATTRIBUTES: Final = """
insert into enrollment_attribute (user_id, course_n, namespace, name, value)
select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[])
on conflict (user_id, course_n, namespace, name) do update set value = excluded.value
"""
_COHORTS: Final = """
insert into cohort_membership as m (user_id, course_n, cohort_id)
select * from unnest($1::bigint[], $2::bigint[], $3::bigint[])
on conflict (user_id, course_n) do update set cohort_id = excluded.cohort_id where m.cohort_id <> excluded.cohort_id
"""
_TOUCH: Final = """
update enrollment e set commanded_at = i.at
from unnest($1::bigint[], $2::bigint[], $3::timestamptz[]) as i(user_id, course_n, at)
where e.user_id = i.user_id and e.course_n = i.course_n and (e.commanded_at is null or e.commanded_at < i.at)
"""
_MARK: Final = """
insert into command_mark as m (user_id, course_n, commanded_at)
select * from unnest($1::bigint[], $2::bigint[], $3::timestamptz[])
on conflict (user_id, course_n) do update set commanded_at = greatest(m.commanded_at, excluded.commanded_at)
"""
_BIND: Final = """
update enrollment_allowed w set user_id = i.user_id
from unnest($1::bigint[], $2::bigint[]) as i(id, user_id) where w.id = i.id and w.user_id is null
"""


class RacedError(Exception):
    """Something was changed by someone else after the decision; decide again."""

    # to the consumer this is what PostgreSQL calls a serialization failure: try again at once
    sqlstate = "40001"


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Who asked for changes, and why; one object for all changes of a command."""

    source: str
    actor: str | None
    reason: str | None = None
    broker_user: str | None = None
    command_id: str | None = None
    commanded_at: datetime | None = None


# not frozen, as everything that is made once for each of 100,000 items: freezing trebles the price of making one
@dataclass(slots=True)
class Change:
    """An enrollment as it shall be, beside what it was when that was decided (version 0: there was none)."""

    user_id: int
    username: str
    course_n: int
    course_key: str
    mode: str
    is_active: bool
    old_version: int
    old_mode: str | None
    old_active: bool | None
    requested_mode: str | None
    requested_active: bool | None
    forced: bool
    origin: Origin

    @property
    def version(self) -> int:
        return self.old_version + 1


def int_array(values: Iterable[int]) -> str:
    """An array as text: the driver takes many times longer to check and encode the numbers one by one."""
    return f"{{{','.join(map(str, values))}}}"


async def _store_changes(connection: asyncpg.Connection, changes: Sequence[Change]) -> None:
    """Upsert the rows, in key order so that two writers cannot block each other, and their history.

    No learner may be in one course twice. What many changes have in common is sent once, as a kind.
    """
    if not changes:
        return
    ordered = sorted(changes, key=_key)
    kinds: dict[tuple[object, ...], int] = {}
    numbers = [
        kinds.setdefault(
            (c.mode, c.is_active, c.old_mode, c.old_active, c.requested_mode, c.requested_active, c.forced, c.origin),
            len(kinds) + 1,
        )
        for c in ordered
    ]
    columns = list(zip(*kinds, strict=True))
    origins = [c for c in columns[-1] if isinstance(c, Origin)]
    stored = await connection.fetchval(
        _STORE,
        int_array(change.user_id for change in ordered),
        int_array(change.course_n for change in ordered),
        int_array(change.old_version + 1 for change in ordered),
        int_array(numbers),
        *columns[:-1],
        [origin.source for origin in origins],
        [origin.actor for origin in origins],
        [origin.reason for origin in origins],
        [origin.broker_user for origin in origins],
        [origin.command_id for origin in origins],
        [origin.commanded_at for origin in origins],
    )
    if stored != len(ordered):
        raise RacedError


def _key(change: Change) -> tuple[int, int]:
    return change.user_id, change.course_n


@dataclass(slots=True)
class Batch:
    """What a set of decisions writes, collected and then stored in a handful of statements."""

    changes: list[Change] = field(default_factory=list)
    # (learner, course, namespace, name, value); (learner, course, cohort); (allowed entry, learner)
    attributes: list[tuple[int, int, str, str, str]] = field(default_factory=list)
    cohorts: list[tuple[int, int, int]] = field(default_factory=list)
    bound: list[tuple[int, int]] = field(default_factory=list)
    # (course, seats taken more or less), for seat rows that are locked
    seats: list[tuple[int, int]] = field(default_factory=list)
    # (learner, course, when commanded): nothing to change, yet older commands must not be applied any more
    touched: list[tuple[int, int, datetime]] = field(default_factory=list)
    marked: list[tuple[int, int, datetime]] = field(default_factory=list)

    async def store(self, connection: asyncpg.Connection) -> None:
        """Raises `RacedError`, whereupon the caller must undo and decide again."""
        await _store_changes(connection, self.changes)
        for statement, rows in (
            (_SEATS, self.seats),
            (_ATTRIBUTES, self.attributes),
            (_COHORTS, self.cohorts),
            (_BIND, self.bound),
            (_TOUCH, self.touched),
            (_MARK, self.marked),
        ):
            if rows:
                # in key order, so that two writers cannot block each other
                await connection.execute(statement, *map(list, zip(*sorted(rows), strict=True)))


def announce(changes: Sequence[Change], *, now: datetime) -> list[Outgoing]:
    """The events of a batch: up to 500 changes in one, on the routing key of bulk changes."""
    at = now.isoformat()
    shown = [
        {
            "user_id": change.user_id,
            "username": change.username,
            "course_id": change.course_key,
            "mode": change.mode,
            "is_active": change.is_active,
            "version": change.version,
            "changed_at": at,
        }
        for change in changes
    ]
    parts = [shown[start : start + MAX_ITEMS] for start in range(0, len(shown), MAX_ITEMS)]
    return [_announcement(part) for part in parts]


def _announcement(changes: Sequence[object]) -> Outgoing:
    """A full event is complete as it is; the relay may still merge a shorter one with its neighbours."""
    full = len(changes) == MAX_ITEMS
    return Outgoing(
        type=EnrollmentsChanged.type,
        routing_key=EnrollmentsChanged.bulk_routing_key,
        body=orjson.dumps({"changes": changes}),
        aggregate=f"enrollments:{uuid4()}",
        batch_field=None if full else EnrollmentsChanged.batch_field,
        items=None if full else len(changes),
    )
