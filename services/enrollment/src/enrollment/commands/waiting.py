"""E-mail addresses that no account has yet: the allowed list, and what happens when the account appears."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg
import orjson

from enrollment.allowed.operations import announce_allowed
from enrollment.commands.schemas import CommandRead
from enrollment.enrollments import situation as facts
from enrollment.enrollments.changes import Batch, Change, Origin, announce
from enrollment.enrollments.models import Course, Decision, Learner, Place, Seats, Wish
from enrollment.outgoing import record_all
from enrollment.waiting_lock import exclude_new_addresses

_ENTRIES: Final = """
select w.id, w.user_id, lower(w.email) as email, w.course_key, w.commanded_at, w.removed
from unnest($1::text[], $2::text[]) as i(email, course_key)
join enrollment_allowed w on lower(w.email) = i.email and w.course_key = i.course_key
order by w.id for update of w
"""
_STORE: Final = """
insert into enrollment_allowed as w (email, course_key, auto_enroll, mode, cohort, attributes, actor, reason,
  broker_user, command_id, commanded_at)
select i.email, i.course_key, true, i.mode, i.cohort, i.attributes::jsonb, i.actor, i.reason, i.broker_user,
  i.command_id, i.commanded_at
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
  $10::timestamptz[])
as i(email, course_key, mode, cohort, attributes, actor, reason, broker_user, command_id, commanded_at)
on conflict (lower(email), course_key) do update set auto_enroll = true, mode = excluded.mode, cohort = excluded.cohort,
  attributes = excluded.attributes, actor = excluded.actor, reason = excluded.reason,
  broker_user = excluded.broker_user, command_id = excluded.command_id, commanded_at = excluded.commanded_at,
  removed = false, version = w.version + 1, user_id = null
where w.user_id is null or w.removed
returning w.id
"""
_REMOVE: Final = """
update enrollment_allowed w set removed = true, version = w.version + 1, commanded_at = i.commanded_at
from unnest($1::bigint[], $2::timestamptz[]) as i(id, commanded_at) where w.id = i.id
"""
_DUE: Final = """
select w.id, w.course_key, w.mode, w.cohort, w.attributes::text, w.actor, w.reason, w.broker_user, w.command_id,
  w.commanded_at, a.user_id, a.username, a.email, a.is_staff
from account a join enrollment_allowed w on lower(w.email) = lower(a.email) and w.user_id is null and w.auto_enroll
  and not w.removed
where a.user_id = any($1::bigint[]) and a.is_active order by w.id for update of w
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """An item for an address without an account."""

    email: str
    course: Course
    command: CommandRead
    wish: Wish
    cohort: str | None


@dataclass(frozen=True, slots=True)
class _Known:
    id: int
    user_id: int | None
    commanded_at: datetime | None
    removed: bool


async def store_entries(connection: asyncpg.Connection, entries: Sequence[Entry], *, now: datetime) -> list[Decision]:
    """Note whom to enroll when the account appears, or forget it; one decision for each entry."""
    if not entries:
        return []
    rows = await connection.fetch(_ENTRIES, [entry.email for entry in entries], [entry.course.key for entry in entries])
    known = {
        (row["email"], row["course_key"]): _Known(row["id"], row["user_id"], row["commanded_at"], row["removed"])
        for row in rows
    }
    limited = {entry.course.n: entry.course for entry in entries if entry.course.capacity is not None}
    seats = await facts.lock_seats(connection, limited.values())
    named = [(entry.course.n, entry.cohort) for entry in entries if entry.cohort]
    cohorts = await facts.find_cohorts(connection, {n for n, _ in named}, {name for _, name in named})
    decisions = [
        _decide(
            entry,
            known.get((entry.email, entry.course.key)),
            seats.get(entry.course.n),
            now=now,
            cohort_missing=entry.cohort is not None and (entry.course.n, entry.cohort) not in cohorts,
        )
        for entry in entries
    ]
    decided = list(zip(entries, decisions, strict=True))
    stored = [
        (
            entry.email,
            entry.course.key,
            entry.wish.mode,
            entry.cohort,
            orjson.dumps(entry.wish.attributes).decode(),
            entry.command.actor,
            entry.command.reason,
            entry.command.broker_user,
            entry.command.command_id,
            entry.command.issued_at,
        )
        for entry, decision in decided
        if decision.outcome == "waiting"
    ]
    if stored:
        stored.sort(key=lambda row: row[:2])
        rows = await connection.fetch(_STORE, *map(list, zip(*stored, strict=True)))
    changed = [row["id"] for row in rows] if stored else []
    removed = [
        (known[entry.email, entry.course.key].id, entry.command.issued_at)
        for entry, decision in decided
        if decision.outcome == "unenrolled"
    ]
    if removed:
        await connection.execute(_REMOVE, *map(list, zip(*removed, strict=True)))
        changed += [entry_id for entry_id, _ in removed]
    await announce_allowed(connection, changed)
    return decisions


def _decide(
    entry: Entry, known: _Known | None, seats: Seats | None, *, now: datetime, cohort_missing: bool
) -> Decision:
    if known and known.commanded_at is not None and entry.command.issued_at < known.commanded_at:
        return Decision("unchanged", "superseded")
    if entry.command.kind == "unenroll" or not entry.wish.is_active:
        waits = known and known.user_id is None and not known.removed
        return Decision("unenrolled") if waits else Decision("unchanged", "not_enrolled")
    if known and known.user_id is not None and not known.removed:
        return Decision("rejected", "address_used")
    if cohort_missing:
        return Decision("rejected", "unknown_cohort")
    options, course = entry.wish.options, entry.course
    mode = entry.wish.mode or course.default_mode(now)
    if not course.offers(mode, now, expired=options.ignore_mode_expiry):
        return Decision("rejected", "mode_unavailable")
    if known is None or known.removed:
        if course.invitation_only and not options.ignore_invitation:
            return Decision("rejected", "invitation_only")
        if not course.is_open(now) and not options.ignore_window:
            return Decision("rejected", "enrollment_closed")
    if seats and seats.taken >= seats.capacity and not options.ignore_capacity:
        return Decision("rejected", "course_full")
    return Decision("waiting", "no_account")


async def enroll_waiting(connection: asyncpg.Connection, user_ids: Collection[int], *, now: datetime) -> int:
    """Enroll the accounts whose addresses were waited for; returns how many entries were used.

    The entry is the permission: window and invitation were looked at when it was made, and a seat is theirs even in a
    course that has filled since. Raises `RacedError`.
    """
    await exclude_new_addresses(connection)
    rows = await connection.fetch(_DUE, list(user_ids))
    if not rows:
        return 0
    known = await facts.find_known(connection, (), (), {row["course_key"] for row in rows})
    # two addresses may have led to one account: its first entry counts
    due: dict[tuple[int, int], asyncpg.Record] = {}
    for row in rows:
        if course := known.courses.get(row["course_key"]):
            due.setdefault((row["user_id"], course.n), row)
    pairs = [
        (Learner(row["user_id"], row["username"], row["email"], row["is_staff"]), known.courses[row["course_key"]])
        for row in due.values()
    ]
    situation = await facts.lock_situation(connection, pairs, now=now)
    cohorts = await facts.find_cohorts(
        connection, {course.n for _, course in pairs}, {row["cohort"] for row in rows if row["cohort"]}
    )
    batch = Batch()
    for (learner, course), row in zip(pairs, due.values(), strict=True):
        place = situation.place(learner, course)
        batch.bound.append((row["id"], learner.user_id))
        commanded_at, last = row["commanded_at"], place.standing.commanded_at
        if last is not None and commanded_at is not None and commanded_at < last:
            continue
        if not place.standing.is_active:
            if place.seats and not place.on_team:
                place.seats.take(anyway=True)
            batch.changes.append(_change(row, learner, course, place, now=now))
        batch.attributes += [(learner.user_id, course.n, *entry) for entry in orjson.loads(row["attributes"])]
        cohort = cohorts.get((course.n, row["cohort"]))
        if cohort is not None:
            batch.cohorts.append((learner.user_id, course.n, cohort))
    batch.seats += [(n, seats.delta) for n, seats in situation.seats.items() if seats.delta]
    await batch.store(connection)
    await record_all(connection, announce(batch.changes, now=now))
    return len(due)


def _change(row: asyncpg.Record, learner: Learner, course: Course, place: Place, *, now: datetime) -> Change:
    standing = place.standing
    return Change(
        user_id=learner.user_id,
        username=learner.username,
        course_n=course.n,
        course_key=course.key,
        mode=row["mode"] or course.default_mode(now),
        is_active=True,
        old_version=standing.version,
        old_mode=standing.mode,
        old_active=standing.is_active,
        requested_mode=row["mode"],
        requested_active=True,
        forced=False,
        origin=Origin(
            source="account",
            actor=row["actor"],
            reason=row["reason"],
            broker_user=row["broker_user"],
            command_id=row["command_id"],
            commanded_at=row["commanded_at"],
        ),
    )
