"""Bodies of the allowed list."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import BaseModel

from common.keys import CourseKey, InvalidKey
from enrollment.allowed.errors import BadEntry, FieldsMissing

MAX_EMAIL: Final = 254
_TRUTHS: Final[Mapping[str, bool]] = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}


class AllowedIn(BaseModel):
    """Whom to let in where; with `auto_enroll` they are enrolled when the account appears."""

    email: str
    course_id: str
    auto_enroll: bool = False


class AllowedKey(BaseModel):
    """Which entry."""

    email: str
    course_id: str


class AllowedOut(BaseModel):
    """An entry; `user` is the account that used it."""

    email: str
    course_id: str
    auto_enroll: bool
    created: datetime
    user: int | None


@dataclass(frozen=True, slots=True)
class Named:
    """The entry that a body speaks of."""

    email: str
    course_id: str
    course_key: str


def read_named(fields: Mapping[str, object]) -> Named:
    """Raises `FieldsMissing`, `BadEntry`."""
    email, course_id = (
        value.strip() if isinstance(value, str) else value for value in (fields.get("email"), fields.get("course_id"))
    )
    if not email or not course_id:
        raise FieldsMissing
    if not isinstance(email, str) or not isinstance(course_id, str) or len(email) > MAX_EMAIL:
        raise BadEntry
    try:
        return Named(email, course_id, CourseKey.parse(course_id).canonical)
    except InvalidKey as error:
        raise BadEntry(f"'{course_id}' is not a valid course id.") from error


def read_auto_enroll(fields: Mapping[str, object]) -> bool:
    """A boolean, or what a form has for one. Raises `BadEntry`."""
    value = fields.get("auto_enroll", False)
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUTHS:
        return _TRUTHS[value.lower()]
    raise BadEntry(f"'{value}' is not a valid auto_enroll value.")
