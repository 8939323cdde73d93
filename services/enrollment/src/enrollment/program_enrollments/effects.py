"""What a program's courses mean for the learner's enrollments: who is realised is enrolled in the course besides."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Final

import asyncpg
import structlog

from enrollment.enrollments.changes import Origin, int_array
from enrollment.enrollments.models import Options, Wish
from enrollment.enrollments.setting import Wanted, set_enrollments

log = structlog.get_logger()
Pair = tuple[int, int]

MODE: Final = "masters"
_FREE: Final = frozenset({"audit", "honor"})
_UNCHECKED: Final = Options(
    ignore_window=True, ignore_capacity=True, ignore_invitation=True, ignore_mode_expiry=True, any_mode=True
)
_IN: Final = Wish(mode=MODE, options=_UNCHECKED, replaces=_FREE)
_OUT: Final = Wish(mode=MODE, is_active=False, options=_UNCHECKED)
_AUDIT_OUT: Final = Wish(mode="audit", is_active=False, options=_UNCHECKED)

# indexes program_enrollment_user, program_course_enrollment's unique one
_HELD: Final = """
select distinct e.user_id, c.course_n
from unnest($1::text::bigint[], $2::text::bigint[]) as i(user_id, course_n)
join program_enrollment e on e.user_id = i.user_id
join program_course_enrollment c on c.program_enrollment_id = e.id and c.course_n = i.course_n and c.status = 'active'
"""
_STANDING: Final = """
select e.user_id, e.course_n, e.mode, e.is_active
from unnest($1::text::bigint[], $2::text::bigint[]) as i(user_id, course_n)
join enrollment e on e.user_id = i.user_id and e.course_n = i.course_n
"""
_OFFERS_AUDIT: Final = """
select course_n from course_mode where course_n = any($1::bigint[]) and slug = 'audit'
"""


class Effect(IntEnum):
    """What happened to the learner's place in the program's course; of several for one course the highest counts."""

    LEFT = 1
    """The key belongs to another account now."""
    DEACTIVATED = 2
    CREATED_INACTIVE = 3
    ACTIVATED = 4
    CREATED_ACTIVE = 5


@dataclass(frozen=True, slots=True)
class Standing:
    """The learner's enrollment as it is."""

    mode: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A learner's enrollment that could not be made what the program wants."""

    user_id: int
    course_key: str
    code: str


def wish_for(effect: Effect, standing: Standing | None, *, is_held: bool, offers_audit: bool) -> Wish | bool | None:
    """What to ask for; None is to be unenrolled, False is nothing at all.

    `is_held`: another program's course, or this one's in another curriculum, keeps the learner in.
    """
    if effect is Effect.CREATED_ACTIVE:
        if standing and not standing.is_active and standing.mode not in _FREE:
            return Wish(mode=standing.mode, options=_UNCHECKED)
        return _IN
    if effect is Effect.ACTIVATED:
        if standing and standing.is_active:
            return False
        return Wish(mode=standing.mode, options=_UNCHECKED) if standing else _IN
    if is_held:
        return False
    if effect is Effect.CREATED_INACTIVE:
        return _OUT if standing is None or standing.mode in (MODE, *_FREE) else False
    if standing is None or not standing.is_active:
        return False
    if effect is Effect.LEFT and offers_audit:
        return _AUDIT_OUT
    return None


async def apply_effects(
    connection: asyncpg.Connection,
    effects: Iterable[tuple[int, int, str, Effect]],
    *,
    origin: Origin,
    now: datetime,
) -> list[Refused]:
    """Carry out (learner, course number, course key, effect), after the program's own rows were written.

    What is refused is logged and returned; the program's rows stand all the same, unless the caller undoes them.
    Raises `RacedError`, PostgreSQL's deadlock and serialization errors: the caller repeats its transaction.
    """
    strongest: dict[Pair, tuple[str, Effect]] = {}
    for user_id, n, key, effect in effects:
        known = strongest.get((user_id, n))
        if known is None or known[1] < effect:
            strongest[user_id, n] = (key, effect)
    if not strongest:
        return []
    pairs = sorted(strongest)
    keys = int_array(user for user, _ in pairs), int_array(n for _, n in pairs)
    held = {(row["user_id"], row["course_n"]) for row in await connection.fetch(_HELD, *keys)}
    standings = {
        (row["user_id"], row["course_n"]): Standing(row["mode"], row["is_active"])
        for row in await connection.fetch(_STANDING, *keys)
    }
    audit = await _offering_audit(connection, strongest)
    wanted = []
    for pair in pairs:
        key, effect = strongest[pair]
        wish = wish_for(effect, standings.get(pair), is_held=pair in held, offers_audit=pair[1] in audit)
        if not isinstance(wish, bool):
            wanted.append(Wanted(pair[0], key, wish))
    decisions = await set_enrollments(connection, wanted, origin=origin, now=now) if wanted else []
    refused = [
        Refused(one.user_id, one.course_key, decision.code or "")
        for one, decision in zip(wanted, decisions, strict=True)
        if decision.outcome == "rejected"
    ]
    for one in refused:
        log.warning("program_course_not_enrolled", user_id=one.user_id, course_id=one.course_key, code=one.code)
    return refused


async def _offering_audit(
    connection: asyncpg.Connection, strongest: Mapping[Pair, tuple[str, Effect]]
) -> Collection[int]:
    left: Sequence[int] = sorted({n for (_, n), (_, effect) in strongest.items() if effect is Effect.LEFT})
    return {row["course_n"] for row in await connection.fetch(_OFFERS_AUDIT, left)} if left else set()
