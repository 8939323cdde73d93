"""Carry out many items in a few statements: resolve names, lock, decide in memory, store."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from common.keys import CourseKey, InvalidKey
from enrollment.commands import queries, waiting
from enrollment.commands.models import (
    TEXTS,
    Course,
    Decision,
    Learner,
    Place,
    Standing,
    Wish,
    decide_enroll,
    decide_unenroll,
)
from enrollment.commands.schemas import CommandRead, Item
from enrollment.enrollments.changes import Batch, Change, Origin, RacedError, announce
from enrollment.outgoing import record_all

_EMAIL: Final = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
_ATTEMPTS: Final = 5
_WAVE: Final = 5000

# statements planned while their tables were small would keep a sequential scan
_INDEXES_ONLY: Final = "set local enable_seqscan = off"


@dataclass(frozen=True, slots=True)
class Slot:
    """An item whose course is known: with its learner, or with an e-mail address that no account has yet."""

    command: CommandRead
    index: int
    item: Item
    course: Course
    learner: Learner | None
    email: str

    @property
    def pair(self) -> tuple[int | str, int]:
        return (self.learner.user_id if self.learner else self.email), self.course.n

    @property
    def wish(self) -> Wish:
        attributes = {(a.namespace, a.name): a.value for a in self.item.attributes}
        return Wish(
            mode=self.item.mode,
            is_active=self.item.is_active is not False,
            attributes=tuple((*name, value) for name, value in attributes.items()),
            options=self.command.options,
        )

    @property
    def wants_cohort(self) -> str | None:
        return self.item.cohort if self.command.kind == "enroll" and self.item.is_active is not False else None


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an item."""

    outcome: str
    code: str | None = None
    message: str | None = None

    def shown(self, index: int, ref: str | int | None) -> dict[str, object]:
        """As the completed event has it: what is absent is left out."""
        found = {"index": index, "ref": ref, "outcome": self.outcome, "code": self.code, "message": self.message}
        return {name: value for name, value in found.items() if value is not None}


def result(decision: Decision) -> Result:
    return Result(decision.outcome, decision.code, TEXTS[decision.code] if decision.code else None)


def rejected(code: str, message: str | None = None) -> Result:
    return Result("rejected", code, message or TEXTS[code])


Results = dict[tuple[tuple[str, str], int], Result]


async def carry_out(connection: asyncpg.Connection, commands: Sequence[CommandRead], *, now: datetime) -> Results:
    """Apply the commands' items in the order of the commands, inside the connection's transaction."""
    await connection.execute(_INDEXES_ONLY)
    results: Results = {}
    if any(item.email for command in commands for item in _readable(command)):
        await waiting.exclude_new_accounts(connection)
    keys = _parse_keys(item.course_id for command in commands for item in _readable(command))
    known = await queries.find_known(
        connection,
        (item.username for command in commands for item in _readable(command) if item.username),
        (item.email.lower() for command in commands for item in _readable(command) if item.email and not item.username),
        (key for key in keys.values() if key),
    )
    slots = [_slots(command, keys, known, results) for command in commands]
    for wave in _waves(slots):
        results.update(await _carry_out_wave(connection, wave, now=now))
    return results


def _readable(command: CommandRead) -> Iterator[Item]:
    return (item for item in command.items.values() if not isinstance(item, str))


def _parse_keys(texts: Iterable[str]) -> dict[str, str | None]:
    keys: dict[str, str | None] = {}
    for text in texts:
        if text not in keys:
            try:
                keys[text] = CourseKey.parse(text).canonical
            except InvalidKey:
                keys[text] = None
    return keys


def _slots(command: CommandRead, keys: Mapping[str, str | None], known: queries.Known, results: Results) -> list[Slot]:
    """The command's items that can be decided; the others get their result here. Of duplicates the last one counts."""
    found: dict[tuple[int | str, int], Slot] = {}
    for index, item in reversed(list(command.items.items())):
        slot = _resolve(command, index, item, keys, known)
        if isinstance(slot, Result):
            results[command.identity, index] = slot
        elif slot.pair in found:
            results[command.identity, index] = result(Decision("unchanged", "duplicate"))
        else:
            found[slot.pair] = slot
    return list(reversed(found.values()))


def _resolve(
    command: CommandRead, index: int, item: Item | str, keys: Mapping[str, str | None], known: queries.Known
) -> Slot | Result:
    if isinstance(item, str):
        return rejected("malformed", item)
    key = keys[item.course_id]
    if key is None:
        return rejected("invalid_course_id")
    course = known.courses.get(key)
    if course is None:
        return rejected("unknown_course")
    if item.username:
        learner = known.by_name.get(item.username)
        return Slot(command, index, item, course, learner, "") if learner else rejected("unknown_learner")
    if item.email:
        if not _EMAIL.fullmatch(item.email):
            return rejected("invalid_email")
        email = item.email.lower()
        return Slot(command, index, item, course, known.by_email.get(email), email)
    return rejected("unknown_program")


def _waves(commands: Iterable[Sequence[Slot]]) -> Iterator[list[Slot]]:
    """Slots that can be decided together: no learner is in a course twice, so an item sees what an earlier one did."""
    wave: list[Slot] = []
    pairs: set[tuple[int | str, int]] = set()
    for slots in commands:
        own = {slot.pair for slot in slots}
        if wave and (not pairs.isdisjoint(own) or len(wave) + len(slots) > _WAVE):
            yield wave
            wave, pairs = [], set()
        wave += slots
        pairs |= own
    if wave:
        yield wave


async def _carry_out_wave(connection: asyncpg.Connection, wave: Sequence[Slot], *, now: datetime) -> Results:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            async with connection.transaction():
                return await _decide_and_store(connection, wave, now=now)
        except RacedError:
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


async def _decide_and_store(connection: asyncpg.Connection, wave: Sequence[Slot], *, now: datetime) -> Results:
    placed = [(slot, slot.learner) for slot in wave if slot.learner]
    situation = await queries.lock_situation(connection, [(who, slot.course) for slot, who in placed], now=now)
    named = [(slot.course.n, slot.wants_cohort) for slot in wave if slot.wants_cohort]
    cohorts = await queries.find_cohorts(connection, {n for n, _ in named}, {name for _, name in named if name})
    results: Results = {}
    batch = Batch()
    for slot, learner in placed:
        place = situation.place(learner, slot.course)
        cohort = cohorts.get((slot.course.n, slot.wants_cohort)) if slot.wants_cohort else None
        decision = _decide(slot, place, now=now, cohort_missing=bool(slot.wants_cohort) and cohort is None)
        results[slot.command.identity, slot.index] = result(decision)
        _collect(batch, slot, place, decision, cohort)
    batch.seats += [(n, seats.delta) for n, seats in situation.seats.items() if seats.delta]
    await batch.store(connection)
    await record_all(connection, announce(batch.changes, now=now))
    unknown = [
        waiting.Entry(
            email=slot.email,
            course=slot.course,
            command=slot.command,
            wish=slot.wish,
            cohort=slot.wants_cohort,
            cohort_missing=bool(slot.wants_cohort) and (slot.course.n, slot.wants_cohort) not in cohorts,
        )
        for slot in wave
        if not slot.learner
    ]
    decisions = await waiting.store_entries(connection, unknown, now=now)
    for slot, decision in zip((slot for slot in wave if not slot.learner), decisions, strict=True):
        results[slot.command.identity, slot.index] = result(decision)
    return results


def _decide(slot: Slot, place: Place, *, now: datetime, cohort_missing: bool) -> Decision:
    issued_at = slot.command.issued_at
    if slot.command.kind == "unenroll":
        return decide_unenroll(place, issued_at=issued_at)
    if cohort_missing:
        return Decision("rejected", "unknown_cohort")
    return decide_enroll(slot.wish, place, now=now, issued_at=issued_at)


def _collect(batch: Batch, slot: Slot, place: Place, decision: Decision, cohort: int | None) -> None:
    if decision.outcome == "rejected" or decision.code == "superseded":
        return
    user_id, n = place.learner.user_id, place.course.n
    if decision.mode is not None and decision.is_active is not None:
        batch.changes.append(_change(slot, place.learner, place.standing, decision.mode, is_active=decision.is_active))
        if decision.is_active and place.allowed_id is not None and place.allowed_to is None:
            batch.bound.append((place.allowed_id, user_id))
    elif place.standing.version:
        batch.touched.append((user_id, n, slot.command.issued_at))
    if not place.standing.version and decision.mode is None:
        batch.marked.append((user_id, n, slot.command.issued_at))
    if slot.command.kind == "enroll":
        batch.attributes += [(user_id, n, *attribute) for attribute in slot.wish.attributes]
    if cohort is not None:
        batch.cohorts.append((user_id, n, cohort))


def _change(slot: Slot, learner: Learner, standing: Standing, mode: str, *, is_active: bool) -> Change:
    command = slot.command
    return Change(
        user_id=learner.user_id,
        username=learner.username,
        course_n=slot.course.n,
        course_key=slot.course.key,
        mode=mode,
        is_active=is_active,
        old_version=standing.version,
        old_mode=standing.mode,
        old_active=standing.is_active,
        requested_mode=slot.item.mode,
        requested_active=is_active,
        forced=command.options.any,
        origin=Origin(
            source="command",
            actor=command.actor,
            reason=command.reason,
            broker_user=command.broker_user,
            command_id=command.command_id,
            commanded_at=command.issued_at,
        ),
    )
