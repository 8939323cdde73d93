"""The body of a bulk call, read as upstream's serializer reads it, with its messages."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel

from common.keys import CourseKey, InvalidKey
from enrollment.bulk_enroll.errors import BulkInvalid

MAX_PAIRS: Final = 50_000
MAX_REASON: Final = 2000
REQUIRED: Final = "This field is required."
_BLANK: Final = "This field may not be blank."
_NULL: Final = "This field may not be null."
_SEPARATORS: Final = re.compile(r"[\s,]+")
_TRUE: Final = frozenset({"t", "true", "y", "yes", "on", "1"})
_FALSE: Final = frozenset({"f", "false", "n", "no", "off", "0", ""})


class BulkEnrollIn(BaseModel):
    """Lists are strings with commas; of a JSON list only the first element is read."""

    action: Literal["enroll", "unenroll"]
    identifiers: str
    courses: str | list[str]
    cohorts: str | list[str] | None = None
    auto_enroll: bool = False
    email_students: bool = False
    reason: str | None = None


class BulkCourseOut(BaseModel):
    """What became of each identifier in one course."""

    action: str
    auto_enroll: bool
    results: list[dict[str, object]]


class BulkEnrollOut(BaseModel):
    """What was asked for, and what became of it by course."""

    action: str
    auto_enroll: bool
    email_students: bool
    courses: dict[str, BulkCourseOut]


@dataclass(frozen=True, slots=True)
class Target:
    """A course as it was written, its key, and the cohort for those who are enrolled there."""

    course_id: str
    key: str
    cohort: str | None


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """A bulk call after the refusals that need no facts."""

    action: Literal["enroll", "unenroll"]
    identifiers: Sequence[str]
    targets: Sequence[Target]
    auto_enroll: bool
    email_students: bool
    reason: str | None


def read_bulk(fields: Mapping[str, object]) -> BulkRequest:
    """Raises `BulkInvalid` with all that is wrong."""
    wrong: dict[str, list[str]] = {}
    action = _text("action", fields, wrong)
    if action is not None and action not in ("enroll", "unenroll"):
        wrong["action"] = [f'"{action}" is not a valid choice.']
    identifiers = _text("identifiers", fields, wrong)
    courses = _list("courses", fields, wrong)
    if courses is None and "courses" not in wrong:
        wrong["courses"] = [REQUIRED]
    cohorts = _list("cohorts", fields, wrong)
    auto_enroll, email_students = (_flag(name, fields, wrong) for name in ("auto_enroll", "email_students"))
    keys: dict[str, str] = {}
    for course_id in courses or ():
        try:
            keys[course_id] = CourseKey.parse(course_id).canonical
        except InvalidKey:
            wrong.setdefault("courses", [f"Course key not valid: {course_id}"])
    if wrong:
        raise BulkInvalid(wrong)
    if cohorts and action != "enroll":
        raise BulkInvalid({"non_field_errors": ["Cohorts can only be used for enrollments."]})
    if cohorts and len(cohorts) != len(courses or ()):
        text = "If provided, the cohorts and courses should have equal number of items."
        raise BulkInvalid({"non_field_errors": [text]})
    names = [name for name in _SEPARATORS.split(identifiers or "") if name]
    pairs = len(names) * len(keys)
    if pairs > MAX_PAIRS:
        text = f"Too many pairs of learner and course - {pairs}. A maximum of {MAX_PAIRS} is allowed in one request"
        raise BulkInvalid({"non_field_errors": [text]})
    given: list[str | None] = [*cohorts] if cohorts else [None] * len(courses or ())
    targets = {
        course_id: Target(course_id, keys[course_id], cohort)
        for course_id, cohort in zip(courses or (), given, strict=True)
    }
    reason = fields.get("reason")
    return BulkRequest(
        action="enroll" if action == "enroll" else "unenroll",
        identifiers=names,
        targets=list(targets.values()),
        auto_enroll=auto_enroll,
        email_students=email_students,
        reason=None if reason is None else str(reason)[:MAX_REASON],
    )


def _text(name: str, fields: Mapping[str, object], wrong: dict[str, list[str]]) -> str | None:
    value = fields.get(name)
    if value is None:
        wrong[name] = [_NULL if name in fields else REQUIRED]
    elif isinstance(value, bool) or not isinstance(value, str | int | float):
        wrong[name] = ["Not a valid string."]
    elif not str(value).strip() and name != "action":
        wrong[name] = [_BLANK]
    else:
        return str(value).strip()
    return None


def _list(name: str, fields: Mapping[str, object], wrong: dict[str, list[str]]) -> list[str] | None:
    value = fields.get(name)
    if isinstance(value, list):
        value = value[0] if value else ""
    if value is None:
        if name in fields and name == "courses":
            wrong[name] = [_NULL]
        return None
    if not isinstance(value, str):
        wrong[name] = ["Not a valid string."]
        return None
    return [part.strip() for part in value.split(",") if part.strip()]


def _flag(name: str, fields: Mapping[str, object], wrong: dict[str, list[str]]) -> bool:
    value = fields.get(name, False)
    text = str(value).lower()
    if isinstance(value, bool | str | int) and text in _TRUE | _FALSE:
        return text in _TRUE
    wrong[name] = ["Must be a valid boolean."]
    return False
