"""Setting many enrollments at once: decided one by one, stored together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import asyncpg

from enrollment.enrollments.changes import Batch, Change, Origin, RacedError, announce
from enrollment.enrollments.models import Course, Decision, Learner, Place, Wish, decide_enroll, decide_unenroll
from enrollment.enrollments.situation import find_cohorts, find_known, lock_situation
from enrollment.outgoing import record_all

ATTEMPTS: Final = 5
# statements planned while their tables were small would keep a sequential scan
INDEXES_ONLY: Final = "set local enable_seqscan = off"
# who is no command has no older ones either
_LATEST: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class Wanted:
    """What a learner's enrollment in a course shall be; without a wish, none."""

    user_id: int
    course_key: str
    wish: Wish | None
    cohort: str | None = None


@dataclass(slots=True)
class Aim:
    """The same, with account and course found."""

    learner: Learner
    course: Course
    wish: Wish | None
    origin: Origin
    cohort: str | None = None


async def set_enrollments(
    connection: asyncpg.Connection,
    wanted: Sequence[Wanted],
    *,
    origin: Origin,
    now: datetime,
    deleted_too: bool = False,
) -> list[Decision]:
    """Enroll, change or unenroll many learners in the connection's transaction; a decision for each, in their order.

    The number of statements does not depend on how many there are: accounts and courses are looked up, the rows are
    locked in key order, the seats of limited courses after them, all is decided in memory by the rules of
    `enrollments.models`, and then rows, history, seats, cohorts, attributes and events (on the bulk routing key, up to
    500 changes in one) are stored together. Nothing is committed here; whoever calls may store more beside it.

    Which checks are left out is the wish's `options` (window, capacity, invitation, expired modes, any mode at all),
    which modes of an active enrollment may be replaced is its `replaces`. A `rejected` decision has stored nothing for
    its pair and harms no neighbour; its `code` is one of `enrollments.models.TEXTS`, `unknown_learner` and
    `unknown_course` among them; with `deleted_too`, courses that were deleted are known as well. `origin` (source,
    actor, reason) is noted with each change in the history.

    Each pair may occur once. Transactions that set thousands should be cut into pieces of some thousand: the locks are
    held until commit. Raises `RacedError` when others kept changing the same rows; PostgreSQL's own deadlock and
    serialization errors pass through, for the whole transaction must be repeated then.
    """
    await connection.execute(INDEXES_ONLY)
    users, courses = {one.user_id for one in wanted}, {one.course_key for one in wanted}
    known = await find_known(connection, (), (), courses, user_ids=users, deleted_too=deleted_too)
    decisions: list[Decision | None] = [None] * len(wanted)
    aims: list[Aim] = []
    places: list[int] = []
    for index, one in enumerate(wanted):
        learner, course = known.by_id.get(one.user_id), known.courses.get(one.course_key)
        if learner is None or course is None:
            decisions[index] = Decision("rejected", "unknown_learner" if learner is None else "unknown_course")
        else:
            aims.append(Aim(learner, course, one.wish, origin, one.cohort))
            places.append(index)
    for index, decision in zip(places, await _repeated(connection, aims, now=now), strict=True):
        decisions[index] = decision
    return [decision for decision in decisions if decision]


async def _repeated(connection: asyncpg.Connection, aims: Sequence[Aim], *, now: datetime) -> list[Decision]:
    for _ in range(ATTEMPTS):
        try:
            async with connection.transaction():
                return await decide_and_store(connection, aims, now=now)
        except RacedError:
            continue
    raise RacedError


async def decide_and_store(connection: asyncpg.Connection, aims: Sequence[Aim], *, now: datetime) -> list[Decision]:
    """One attempt. Raises `RacedError`, whereupon the caller must undo (a savepoint) and may try again."""
    situation = await lock_situation(connection, [(aim.learner, aim.course) for aim in aims], now=now)
    named = [(aim.course.n, aim.cohort) for aim in aims if aim.cohort]
    cohorts = await find_cohorts(connection, {n for n, _ in named}, {name for _, name in named})
    batch = Batch()
    decisions = []
    for aim in aims:
        place = situation.place(aim.learner, aim.course)
        cohort = cohorts.get((aim.course.n, aim.cohort)) if aim.cohort else None
        decision = _decide(aim, place, now=now, cohort_missing=aim.cohort is not None and cohort is None)
        decisions.append(decision)
        if decision.outcome != "rejected" and decision.code != "superseded":
            _collect(batch, aim, place, decision, cohort)
    batch.seats += [(n, seats.delta) for n, seats in situation.seats.items() if seats.delta]
    await batch.store(connection)
    await record_all(connection, announce(batch.changes, now=now))
    return decisions


def _decide(aim: Aim, place: Place, *, now: datetime, cohort_missing: bool) -> Decision:
    issued_at = aim.origin.commanded_at or _LATEST
    if aim.wish is None:
        return decide_unenroll(place, issued_at=issued_at)
    if cohort_missing:
        return Decision("rejected", "unknown_cohort")
    return decide_enroll(aim.wish, place, now=now, issued_at=issued_at)


def _collect(batch: Batch, aim: Aim, place: Place, decision: Decision, cohort: int | None) -> None:
    standing, wish, origin = place.standing, aim.wish, aim.origin
    user_id, n = place.learner.user_id, place.course.n
    if decision.mode is not None and decision.is_active is not None:
        batch.changes.append(
            Change(
                user_id=user_id,
                username=place.learner.username,
                course_n=n,
                course_key=place.course.key,
                mode=decision.mode,
                is_active=decision.is_active,
                old_version=standing.version,
                old_mode=standing.mode,
                old_active=standing.is_active,
                requested_mode=wish.mode if wish else None,
                requested_active=decision.is_active,
                forced=wish is not None and wish.options.any,
                origin=origin,
            )
        )
        if decision.is_active and place.allowed_id is not None and place.allowed_to is None:
            batch.bound.append((place.allowed_id, user_id))
    elif origin.commanded_at is None:
        pass
    elif standing.version:
        batch.touched.append((user_id, n, origin.commanded_at))
    else:
        batch.marked.append((user_id, n, origin.commanded_at))
    if wish and wish.attributes:
        batch.attributes += [(user_id, n, *attribute) for attribute in wish.attributes]
    if cohort is not None:
        batch.cohorts.append((user_id, n, cohort))
