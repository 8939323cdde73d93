"""Bodies of the cohort API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel

from enrollment.cohorts.errors import (
    BadAssignmentType,
    BadGroup,
    BadName,
    FieldsMissing,
    NameMissing,
    PartitionMissing,
    TooManyUsers,
    UsersMissing,
)

MAX_NAME: Final = 255
MAX_USERS: Final = 10_000
_MAX_INT: Final = 2**31 - 1


class CohortOut(BaseModel):
    """A cohort."""

    name: str
    id: int
    user_count: int
    assignment_type: Literal["manual", "random"]
    user_partition_id: int | None
    group_id: int | None


class CohortIn(BaseModel):
    """A new cohort; changing one takes any of these."""

    name: str
    assignment_type: Literal["manual", "random"] = "manual"
    user_partition_id: int | None = None
    group_id: int | None = None


class CohortChanges(BaseModel):
    """What is to be different; at least one of name, assignment_type and group_id."""

    name: str | None = None
    assignment_type: Literal["manual", "random"] | None = None
    user_partition_id: int | None = None
    group_id: int | None = None


class CohortUserOut(BaseModel):
    """A member."""

    username: str
    email: str
    name: str


class CohortUserPage(BaseModel):
    """A page of a cohort's members."""

    next: str | None
    previous: str | None
    count: int
    num_pages: int
    current_page: int
    start: int
    results: list[CohortUserOut]


class UsersIn(BaseModel):
    """Usernames and e-mail addresses."""

    users: list[str]


class AddedUser(BaseModel):
    """Who was added, or moved from another cohort."""

    username: str
    email: str
    previous_cohort: str | None = None


class UsersAdded(BaseModel):
    """What became of each name."""

    success: bool
    added: list[AddedUser]
    changed: list[AddedUser]
    present: list[str]
    unknown: list[str]
    preassigned: list[str]
    invalid: list[str]


@dataclass(frozen=True, slots=True)
class CohortRead:
    """What a body says about a cohort; `links` when it says something about the group."""

    name: str | None
    assignment_type: str | None
    links: bool
    user_partition_id: int | None
    group_id: int | None


def read_new(fields: Mapping[str, object]) -> CohortRead:
    """Raises the refusals of cohorts.errors."""
    if not fields.get("name"):
        raise NameMissing
    return _read(fields)


def read_changes(fields: Mapping[str, object]) -> CohortRead:
    """Raises the refusals of cohorts.errors."""
    if not (fields.get("name") or fields.get("assignment_type") or "group_id" in fields):
        raise FieldsMissing
    return _read(fields)


def _read(fields: Mapping[str, object]) -> CohortRead:
    name, kind = fields.get("name") or None, fields.get("assignment_type") or None
    if name is not None and (not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME):
        raise BadName
    if kind is not None and kind not in ("manual", "random"):
        raise BadAssignmentType(kind)
    group, partition = (_whole(fields.get(field)) for field in ("group_id", "user_partition_id"))
    if group is not None and partition is None:
        raise PartitionMissing
    links = "group_id" in fields
    return CohortRead(name, None if kind is None else str(kind), links, partition if group is not None else None, group)


def _whole(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not -_MAX_INT <= value <= _MAX_INT:
        raise BadGroup
    return value


def read_users(fields: Mapping[str, object], username: str | None) -> list[object]:
    """The names in the body, else the one in the path. Raises `UsersMissing`, `TooManyUsers`."""
    users = fields.get("users") or ([username] if username else None)
    if isinstance(users, str):
        users = [users]
    if not isinstance(users, list):
        raise UsersMissing
    if len(users) > MAX_USERS:
        raise TooManyUsers
    return [user for user in users if user]
