"""Carry out many items in a few statements: resolve names, lock, decide in memory, store."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from common.keys import CourseKey, InvalidKey
from enrollment.commands import waiting
from enrollment.commands.schemas import CommandRead, Item
from enrollment.enrollments.changes import Origin, RacedError
from enrollment.enrollments.models import TEXTS, Course, Decision, Learner, Wish
from enrollment.enrollments.setting import ATTEMPTS, INDEXES_ONLY, Aim, decide_and_store
from enrollment.enrollments.situation import Known, find_known
from enrollment.programs.models import fold
from enrollment.programs.queries import find_by_keys
from enrollment.waiting_lock import exclude_new_accounts

_EMAIL: Final = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
_WAVE: Final = 5000


@dataclass(slots=True)
class Result:
    """What became of an item."""

    outcome: str
    code: str | None = None
    message: str | None = None

    def shown(self, index: int, ref: str | int | None) -> dict[str, object]:
        """As the completed event has it: what is absent is left out."""
        found: dict[str, object] = {"index": index}
        if ref is not None:
            found["ref"] = ref
        found["outcome"] = self.outcome
        if self.code is not None:
            found |= {"code": self.code, "message": self.message}
        return found


def result(decision: Decision) -> Result:
    return Result(decision.outcome, decision.code, TEXTS[decision.code] if decision.code else None)


def rejected(code: str, message: str | None = None) -> Result:
    return Result("rejected", code, message or TEXTS[code])


@dataclass(slots=True)
class Job:
    """A command with what its changes have in common, and the results as they come in."""

    command: CommandRead
    origin: Origin
    results: dict[int, Result]
    # items that ask for nothing special share one wish
    plain: dict[tuple[str | None, bool | None], Wish]

    @classmethod
    def of(cls, command: CommandRead) -> "Job":
        origin = Origin(
            source="command",
            actor=command.actor,
            reason=command.reason,
            broker_user=command.broker_user,
            command_id=command.command_id,
            commanded_at=command.issued_at,
        )
        return cls(command, origin, {}, {})

    def wish_of(self, item: Item) -> Wish:
        """What the item asks for; of attributes with one name the last counts."""
        wish = self.plain.get((item.mode, item.is_active)) if not item.attributes else None
        if wish is None:
            attributes = {(a.namespace, a.name): a.value for a in item.attributes}
            wish = Wish(
                mode=item.mode,
                is_active=item.is_active is not False,
                attributes=tuple((*name, value) for name, value in attributes.items()),
                options=self.command.options,
            )
            if not attributes:
                self.plain[item.mode, item.is_active] = wish
        return wish


@dataclass(slots=True)
class Slot:
    """An item whose course is known: with its learner, or with an e-mail address that no account has yet."""

    job: Job
    index: int
    course: Course
    aim: Aim | None
    email: str
    wish: Wish
    cohort: str | None
    pair: tuple[int | str, int]

    def entry(self) -> waiting.Entry:
        return waiting.Entry(self.email, self.course, self.job.command, self.wish, self.cohort)


Linked = Mapping[tuple[UUID, str], int | None]
Results = Mapping[tuple[str, str], Mapping[int, Result]]


async def carry_out(connection: asyncpg.Connection, commands: Sequence[CommandRead], *, now: datetime) -> Results:
    """Apply the commands' items in the order of the commands, inside the connection's transaction."""
    await connection.execute(INDEXES_ONLY)
    items = [item for command in commands for item in command.items.values() if not isinstance(item, str)]
    emails = {item.email.lower() for item in items if item.email and not item.username}
    if emails:
        await exclude_new_accounts(connection)
    keys = _parse_keys({item.course_id for item in items})
    names = {item.username for item in items if item.username}
    linked = await find_by_keys(connection, {key for item in items if (key := _program_key(item))})
    people = {user_id for user_id in linked.values() if user_id is not None}
    known = await find_known(connection, names, emails, (key for key in keys.values() if key), user_ids=people)
    jobs = [Job.of(command) for command in commands]
    for wave in _waves(_slots(job, keys, known, linked) for job in jobs):
        await _carry_out_wave(connection, wave, now=now)
    return {job.command.identity: job.results for job in jobs}


def _parse_keys(texts: Iterable[str]) -> dict[str, str | None]:
    keys: dict[str, str | None] = {}
    for text in texts:
        try:
            keys[text] = CourseKey.parse(text).canonical
        except InvalidKey:
            keys[text] = None
    return keys


def _program_key(item: Item) -> tuple[UUID, str] | None:
    """The program and the folded key of an item that names its learner so; None also for what is no uuid."""
    if item.username or item.email or not item.external_key or not item.program_uuid:
        return None
    try:
        return UUID(item.program_uuid), fold(item.external_key)
    except ValueError:
        return None


def _slots(job: Job, keys: Mapping[str, str | None], known: Known, linked: Linked) -> list[Slot]:
    """The command's items that can be decided; the others get their result here. Of duplicates the last one counts."""
    found: dict[tuple[int | str, int], Slot] = {}
    for index, item in reversed(list(job.command.items.items())):
        slot = _resolve(job, index, item, keys, known, linked)
        if isinstance(slot, Result):
            job.results[index] = slot
        elif slot.pair in found:
            job.results[index] = result(Decision("unchanged", "duplicate"))
        else:
            found[slot.pair] = slot
    return list(reversed(found.values()))


def _resolve(
    job: Job, index: int, item: Item | str, keys: Mapping[str, str | None], known: Known, linked: Linked
) -> Slot | Result:
    if isinstance(item, str):
        return rejected("malformed", item)
    key = keys[item.course_id]
    if key is None:
        return rejected("invalid_course_id")
    course = known.courses.get(key)
    if course is None:
        return rejected("unknown_course")
    learner = _learner(item, known, linked)
    if isinstance(learner, Result):
        return learner
    email = item.email.lower() if item.email and not item.username else ""
    enrolls = job.command.kind == "enroll"
    cohort = item.cohort if enrolls and item.is_active is not False else None
    wish = job.wish_of(item)
    aim = Aim(learner, course, wish if enrolls else None, job.origin, cohort) if learner else None
    return Slot(job, index, course, aim, email, wish, cohort, (learner.user_id if learner else email, course.n))


def _learner(item: Item, known: Known, linked: Linked) -> Learner | Result | None:
    """None for an e-mail address that no account has yet."""
    if item.username:
        return known.by_name.get(item.username) or rejected("unknown_learner")
    if item.email:
        return known.by_email.get(item.email.lower()) if _EMAIL.fullmatch(item.email) else rejected("invalid_email")
    key = _program_key(item)
    if key is None:
        return rejected("malformed", "program_uuid is not a uuid")
    if key not in linked:
        return rejected("unknown_program")
    user_id = linked[key]
    learner = known.by_id.get(user_id) if user_id is not None else None
    return learner or rejected("unknown_external_key")


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


async def _carry_out_wave(connection: asyncpg.Connection, wave: Sequence[Slot], *, now: datetime) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            async with connection.transaction():
                await _decide_and_store(connection, wave, now=now)
        except RacedError:
            if attempt == ATTEMPTS:
                raise
        else:
            return


async def _decide_and_store(connection: asyncpg.Connection, wave: Sequence[Slot], *, now: datetime) -> None:
    placed = [slot for slot in wave if slot.aim]
    decisions = await decide_and_store(connection, [slot.aim for slot in placed if slot.aim], now=now)
    unknown = [slot for slot in wave if not slot.aim]
    decisions += await waiting.store_entries(connection, [slot.entry() for slot in unknown], now=now)
    for slot, decision in zip([*placed, *unknown], decisions, strict=True):
        slot.job.results[slot.index] = result(decision)
