"""Enrolling by HTTP: one statement, repeated when it lost a race, asked again when only a fact was late."""

from collections.abc import Mapping
from typing import Final

import asyncpg
import orjson
import structlog
from pydantic import ValidationError

from common.errors import Refusal
from common.messaging import crash, outbox
from common.resources import Resources
from enrollment.enrollments.errors import (
    AttributesMissing,
    BadCountries,
    CohortNotFound,
    CourseDetailsNotFound,
    CourseNotFound,
    EmailNotFound,
    Embargoed,
    ModeMismatch,
    ModeUnavailable,
    NotEnrolled,
    TooBusy,
    UserNotFound,
)
from enrollment.enrollments.schemas import EmbargoIn, EnrollmentRequest
from enrollment.enrollments.statements import ENROLL

log = structlog.get_logger()

# refusals that another service's fact, announced but not heard yet, could turn round
_MAY_CHANGE: Final = frozenset({"user", "course", "mode", "closed", "invitation"})
_NOT_AUDITED: Final = frozenset({"user", "embargo"})
_RACES: Final = frozenset({"LR001", "40001", "40P01"})
_ATTEMPTS: Final = 5
_CODES: Final = {"closed": "enrollment_closed", "invitation": "invitation_only", "full": "course_full"}

_EMBARGO: Final = """
select coalesce(e.blocked, '{}') as blocked, coalesce(e.allowed, '{}') as allowed
from course c left join embargo e on e.course_n = c.n where c.key = $1 and not c.deleted
"""
_SET_EMBARGO: Final = """
insert into embargo (course_n, blocked, allowed)
select n, $2::text[], $3::text[] from course where key = $1 and not deleted
on conflict (course_n) do update set blocked = excluded.blocked, allowed = excluded.allowed
returning course_n
"""

Record = Mapping[str, object]


async def enroll(resources: Resources, asked: EnrollmentRequest, *, embargo_page: str) -> str:
    """Decide and store; returns the enrollment object as JSON text.

    Raises the refusals of enrollments.errors; a missing cohort or a bad attribute is refused after the enrollment
    itself was stored, as upstream's clients know it.
    """
    last: Record = {}

    async def attempt() -> Record | None:
        nonlocal last
        last = await _decide_and_store(resources, asked)
        return None if last["why"] in _MAY_CHANGE else last

    await resources.facts.eventually(attempt)
    if asked.caller.api_key and last["why"] not in _NOT_AUDITED:
        _audit(asked, last)
    if last["why"] is not None:
        raise _refusal(asked, last, embargo_page)
    if asked.attribute_error:
        raise asked.attribute_error
    if last["cohort_missing"]:
        raise CohortNotFound(asked.cohort or "")
    return str(last["body"])


async def _decide_and_store(resources: Resources, asked: EnrollmentRequest) -> Record:
    arguments = (
        asked.username,
        asked.email,
        asked.course_key,
        asked.mode,
        asked.is_active,
        asked.privileged,
        asked.caller.api_key,
        asked.forced,
        asked.late is not None,
        [entry[0] for entry in asked.attributes],
        [entry[1] for entry in asked.attributes],
        [entry[2] for entry in asked.attributes],
        asked.attributes_sent,
        asked.has_credit_provider,
        asked.cohort,
        asked.email_opt_in,
        asked.caller.user_id,
        asked.country,
        asked.caller.username or "api key",
        asked.enterprise,
        outbox.new_id(),
        outbox.context_headers(),
    )
    for _ in range(_ATTEMPTS):
        try:
            record: Record = await resources.pool.fetchrow(ENROLL, *arguments)
        except asyncpg.PostgresError as error:
            if error.sqlstate not in _RACES:
                raise
        else:
            if record["why"] is None:
                crash.point("api.after_commit")
            return record
    raise TooBusy


def _refusal(asked: EnrollmentRequest, record: Record, embargo_page: str) -> Refusal:
    why = record["why"]
    if why == "user":
        return EmailNotFound(asked.email) if asked.email else UserNotFound(asked.username or "")
    if why == "embargo":
        return Embargoed(asked.course_id, embargo_page)
    if why == "late" and asked.late:
        return asked.late
    if why == "course":
        return CourseNotFound(asked.course_id)
    if why == "mismatch":
        return ModeMismatch(str(record["old_mode"]), asked.mode or "")
    if why == "attributes":
        return AttributesMissing()
    if why == "mode":
        return ModeUnavailable(asked.mode, asked.course_id, orjson.loads(str(record["body"])))
    return NotEnrolled(str(record["username"]), asked.course_id, code=_CODES[str(why)])


def _audit(asked: EnrollmentRequest, record: Record) -> None:
    log.info(
        "enrollment_change_requested",
        course_id=asked.course_id,
        requested_mode=asked.mode,
        actual_mode=record["mode"],
        requested_activation=asked.is_active,
        actual_activation=record["is_active"],
        user_id=record["user_id"],
    )


async def get_embargo(resources: Resources, course_key: str) -> EmbargoIn:
    """A course's country lists. Raises `CourseDetailsNotFound`."""
    row = await resources.facts.eventually(lambda: resources.pool.fetchrow(_EMBARGO, course_key))
    if row is None:
        raise CourseDetailsNotFound(course_key)
    return EmbargoIn(blocked=row["blocked"], allowed=row["allowed"])


async def set_embargo(resources: Resources, course_key: str, lists: EmbargoIn) -> None:
    """Replace a course's country lists. Raises `CourseDetailsNotFound`."""
    found = await resources.facts.eventually(
        lambda: resources.pool.fetchval(_SET_EMBARGO, course_key, lists.blocked, lists.allowed)
    )
    if found is None:
        raise CourseDetailsNotFound(course_key)


def read_embargo(body: object) -> EmbargoIn:
    """Raises `BadCountries`."""
    try:
        lists = EmbargoIn.model_validate(body)
    except ValidationError as error:
        raise BadCountries from error
    blocked, allowed = ([code.upper() for code in codes] for codes in (lists.blocked, lists.allowed))
    if not all(len(code) == 2 and code.isascii() and code.isalpha() for code in (*blocked, *allowed)):
        raise BadCountries
    return EmbargoIn(blocked=blocked, allowed=allowed)
