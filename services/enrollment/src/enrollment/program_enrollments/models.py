"""The rules of program enrollment, without I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal
from uuid import UUID

Method = Literal["POST", "PATCH", "PUT"]

# `withdrawn` is what `canceled` was called first: equal in every rule, kept as it was written
PROGRAM_STATUSES: Final = frozenset({"enrolled", "pending", "suspended", "withdrawn", "canceled", "ended"})
HELD: Final = frozenset({"enrolled", "pending"})
COURSE_STATUSES: Final = frozenset({"active", "inactive"})
MAX_RECORDS: Final = 25
MAX_KEY: Final = 255


class Failure(StrEnum):
    """Outcomes of a record that stored nothing; any other outcome is the status that was written."""

    CONFLICT = "conflict"
    DUPLICATED = "duplicated"
    INVALID_STATUS = "invalid-status"
    NOT_IN_PROGRAM = "not-in-program"
    NOT_FOUND = "not-found"
    COURSE_NOT_FOUND = "course-not-found"
    INTERNAL_ERROR = "internal-error"


FAILURES: Final = frozenset(failure.value for failure in Failure)


@dataclass(frozen=True, slots=True)
class ProgramRecord:
    """What shall become of a key in a program. `status` is any text; `curriculum_uuid` is None where none was given."""

    key: str
    folded: str
    status: str
    curriculum_uuid: UUID | None = None


@dataclass(frozen=True, slots=True)
class CourseRecord:
    """What shall become of a key in a course of a program."""

    key: str
    folded: str
    status: str
    course_n: int
    course_key: str
    course_staff: bool | None = None
    curriculum_uuid: UUID | None = None

    @property
    def place(self) -> tuple[str, int]:
        return self.folded, self.course_n


@dataclass(frozen=True, slots=True)
class Existing:
    """A program enrollment as it is stored."""

    id: int
    folded: str
    curriculum_uuid: UUID
    status: str
    user_id: int | None


def pick(rows: Sequence[Existing], curriculum_uuid: UUID | None) -> Existing | None:
    """Of several curricula the one that is named, else the one changed last; `rows` are in that order."""
    named = next((row for row in rows if row.curriculum_uuid == curriculum_uuid), None)
    return named or (rows[0] if rows else None)


def decide_program(method: Method, status: str, existing: Existing | None, *, user_is_taken: bool) -> Failure | None:
    """Why the record is refused, None when it is written.

    A curriculum has an account once: the organization may know it under two keys, the second is a conflict.
    """
    if status not in PROGRAM_STATUSES:
        return Failure.INVALID_STATUS
    if existing:
        return Failure.CONFLICT if method == "POST" else None
    if method == "PATCH":
        return Failure.NOT_IN_PROGRAM
    return Failure.CONFLICT if user_is_taken else None


def decide_course(
    method: Method, status: str, *, is_in_program: bool, exists: bool, is_active_elsewhere: bool
) -> Failure | None:
    """Why the record is refused, None when it is written; in this order."""
    if status == "active" and is_active_elsewhere:
        return Failure.CONFLICT
    if status not in COURSE_STATUSES:
        return Failure.INVALID_STATUS
    if not is_in_program:
        return Failure.NOT_IN_PROGRAM
    if exists:
        return Failure.CONFLICT if method == "POST" else None
    return Failure.NOT_FOUND if method == "PATCH" else None


def status_code(outcomes: Mapping[str, str], *, success: int) -> int:
    """422 when nothing was written, 207 when not everything was."""
    failed = sum(outcome in FAILURES for outcome in outcomes.values())
    if failed == len(outcomes):
        return 422
    return 207 if failed else success
