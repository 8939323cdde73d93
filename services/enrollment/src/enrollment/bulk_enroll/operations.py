"""A bulk call, course by course: pieces of learners are set together, each piece in a transaction of its own."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import asyncpg

from common.resources import Resources
from enrollment.account_copies.queries import wait_for_accounts
from enrollment.allowed.operations import announce_allowed
from enrollment.bulk_enroll import queries
from enrollment.bulk_enroll.errors import BulkInvalid
from enrollment.bulk_enroll.queries import BulkCourse, Standing
from enrollment.bulk_enroll.schemas import BulkRequest, Target
from enrollment.enrollments.changes import Origin
from enrollment.enrollments.errors import CourseUnknown, TooBusy
from enrollment.enrollments.models import Options, Wish
from enrollment.enrollments.setting import INDEXES_ONLY, Wanted, set_enrollments
from enrollment.transactions import in_transaction
from enrollment.waiting_lock import exclude_new_accounts

PIECE: Final = 2000
_EMAIL: Final = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
_MAX_EMAIL: Final = 254
# nothing is asked for, and who is enrolled keeps their mode
_ALL: Final = Options(
    ignore_window=True, ignore_capacity=True, ignore_invitation=True, ignore_mode_expiry=True, any_mode=True
)
_AUDIT: Final = Wish(mode="audit", options=_ALL, replaces=frozenset())
_HONOR: Final = replace(_AUDIT, mode="honor")

# index enrollment_allowed_entry (lower(email), course_key); in its order, so that two calls cannot block each other
_ALLOW: Final = """
insert into enrollment_allowed as w (email, course_key, auto_enroll, actor, reason)
select distinct on (lower(i.email)) i.email, $2, $3, $4, $5 from unnest($1::text[]) as i(email) order by lower(i.email)
on conflict (lower(email), course_key) do update set auto_enroll = excluded.auto_enroll, actor = excluded.actor,
  reason = excluded.reason, removed = false, version = w.version + 1,
  user_id = case when w.removed then null else w.user_id end
returning w.id
"""
_DISALLOW: Final = """
update enrollment_allowed set removed = true, version = version + 1 where id = any(array(
  select id from enrollment_allowed
  where lower(email) = any(select lower(e) from unnest($1::text[]) e) and course_key = $2 and not removed
  order by lower(email) for update))
returning id
"""
_WAIT: Final = """
insert into cohort_waiting as w (email, course_n, cohort_id)
select distinct on (lower(i.email)) i.email, $2, k.id from unnest($1::text[]) as i(email), cohort k
where k.course_n = $2 and k.name = $3 order by lower(i.email)
on conflict (lower(email), course_n) do update set cohort_id = excluded.cohort_id
"""
_AUDIT_ROWS: Final = """
insert into manual_enrollment (course_n, user_id, email, transition, actor, reason)
select $1, * , $5, $6 from unnest($2::bigint[], $3::text[], $4::text[])
"""

Result = dict[str, object]


@dataclass(frozen=True, slots=True)
class _Call:
    asked: BulkRequest
    course: BulkCourse
    cohort: str | None
    actor: str
    now: datetime


async def bulk_enroll(resources: Resources, asked: BulkRequest, *, actor: str) -> dict[str, list[Result]]:
    """The results by course, as it was written. Raises `BulkInvalid`, `CourseUnknown`, before anything is stored."""
    for target in asked.targets:
        await _check_cohort(resources, target)
    courses = [await _find_course(resources, target) for target in asked.targets]
    await wait_for_accounts(resources, {text for text in asked.identifiers if "@" not in text})
    found: dict[str, list[Result]] = {}
    for target, course in zip(asked.targets, courses, strict=True):
        call = _Call(asked, course, target.cohort, actor, datetime.now(UTC))
        found[target.course_id] = [
            result
            for start in range(0, len(asked.identifiers), PIECE)
            for result in await _piece(resources, call, asked.identifiers[start : start + PIECE])
        ]
    return found


async def _check_cohort(resources: Resources, target: Target) -> None:
    name, pool = target.cohort, resources.pool
    if name is not None and not await resources.facts.eventually(lambda: queries.has_cohort(pool, target.key, name)):
        raise BulkInvalid({"non_field_errors": [f"cohort {name} not found in course {target.course_id}."]})


async def _find_course(resources: Resources, target: Target) -> BulkCourse:
    course = await resources.facts.eventually(lambda: queries.find_course(resources.pool, target.key))
    if course is None:
        raise CourseUnknown
    return course


async def _piece(resources: Resources, call: _Call, identifiers: Sequence[str]) -> list[Result]:
    """A piece that keeps meeting others fails alone, as one learner does upstream."""
    try:
        return await in_transaction(resources, lambda connection: _set(connection, call, identifiers))
    except TooBusy:
        return [{"identifier": text, "error": True} for text in identifiers]


async def _set(connection: asyncpg.Connection, call: _Call, identifiers: Sequence[str]) -> list[Result]:
    await connection.execute(INDEXES_ONLY)
    await exclude_new_accounts(connection)
    standings = await queries.find_standings(connection, list(dict.fromkeys(identifiers)), call.course)
    if call.asked.action == "enroll":
        ends, cohorts = await _enroll(connection, call, standings)
    else:
        ends, cohorts = await _unenroll(connection, call, standings), {}
    results: list[Result] = []
    seen: dict[str, Standing] = {}
    audit: list[tuple[int | None, str, str]] = []
    for text in identifiers:
        before = seen.get(text, standings[text])
        after = ends.get(text)
        if after is None:
            invalid = before.user_id is None and not _is_email(text)
            results.append({"identifier": text, "invalidIdentifier" if invalid else "error": True})
            continue
        states = {"before": _shown(before), "after": _shown(after)}
        if text in cohorts:
            states["before"]["cohort"], states["after"]["cohort"] = before.cohort, cohorts[text]
        results.append({"identifier": text, **states})
        audit.append((after.user_id, after.email or text, _transition(call.asked.action, before, after)))
        seen[text] = replace(after, cohort=cohorts.get(text, after.cohort))
    if audit:
        columns = map(list, zip(*audit, strict=True))
        await connection.execute(_AUDIT_ROWS, call.course.n, *columns, call.actor, call.asked.reason)
    return results


async def _enroll(
    connection: asyncpg.Connection, call: _Call, standings: Mapping[str, Standing]
) -> tuple[dict[str, Standing], dict[str, str]]:
    """How each identifier ends, if it can be used at all; and the cohort of those who have one now."""
    asked, course = call.asked, call.course
    ends: dict[str, Standing] = {}
    live = {one.user_id: one for one in standings.values() if one.user_id is not None and one.live}
    wish = _HONOR if course.white_label else _AUDIT
    decisions = await set_enrollments(
        connection,
        [Wanted(user_id, course.key, wish, call.cohort) for user_id in live],
        origin=Origin(source="bulk", actor=call.actor, reason=asked.reason),
        now=call.now,
    )
    enrolled = {user_id for user_id, made in zip(live, decisions, strict=True) if made.outcome != "rejected"}
    waiting = []
    for text, one in standings.items():
        if one.user_id in live:
            if one.user_id in enrolled:
                ends[text] = replace(one, enrolled=True)
        elif one.retired and one.user_id is None:
            ends[text] = one
        elif one.email or _is_email(text):
            waiting.append(one.email or text)
            ends[text] = replace(one, allowed=True, auto_enroll=asked.auto_enroll)
    if waiting:
        rows = await connection.fetch(_ALLOW, waiting, course.key, asked.auto_enroll, call.actor, asked.reason)
        await announce_allowed(connection, [row["id"] for row in rows])
        if call.cohort:
            await connection.execute(_WAIT, waiting, course.n, call.cohort)
    cohorts = {text: call.cohort for text, end in ends.items() if end.enrolled or end.allowed} if call.cohort else {}
    return ends, {text: cohort for text, cohort in cohorts.items() if cohort}


async def _unenroll(
    connection: asyncpg.Connection, call: _Call, standings: Mapping[str, Standing]
) -> dict[str, Standing]:
    course = call.course
    enrolled = {one.user_id: one for one in standings.values() if one.user_id is not None and one.enrolled}
    await set_enrollments(
        connection,
        [Wanted(user_id, course.key, None) for user_id in enrolled],
        origin=Origin(source="bulk", actor=call.actor, reason=call.asked.reason),
        now=call.now,
    )
    emails = [one.email or text for text, one in standings.items() if one.allowed]
    if emails:
        rows = await connection.fetch(_DISALLOW, emails, course.key)
        await announce_allowed(connection, [row["id"] for row in rows])
    return {
        text: replace(one, enrolled=False, allowed=False, auto_enroll=False)
        for text, one in standings.items()
        if one.user_id is not None or _is_email(text)
    }


def _is_email(text: str) -> bool:
    return len(text) <= _MAX_EMAIL and _EMAIL.fullmatch(text) is not None


def _shown(one: Standing) -> dict[str, object]:
    return {
        "user": one.user_id is not None,
        "enrollment": one.enrolled,
        "allowed": one.allowed,
        "auto_enroll": one.auto_enroll,
    }


def _transition(action: str, before: Standing, after: Standing) -> str:
    """What upstream's audit says; the same words for two different ends are its own."""
    if action == "unenroll":
        if before.enrolled:
            return "from enrolled to unenrolled"
        return "from allowed to enroll to enrolled" if before.allowed else "from unenrolled to unenrolled"
    if after.enrolled:
        if before.enrolled:
            return "from enrolled to enrolled"
        return "from allowed to enroll to enrolled" if before.allowed else "from unenrolled to enrolled"
    return "from unenrolled to allowed to enroll" if after.allowed else "N/A"
