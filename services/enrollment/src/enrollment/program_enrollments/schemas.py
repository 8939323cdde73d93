"""Bodies of the program enrollment API: read by hand, since who may call comes before what was sent."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from pydantic import BaseModel, Field

from enrollment.program_enrollments.errors import MalformedRecord, TooManyRecords
from enrollment.program_enrollments.models import MAX_KEY, MAX_RECORDS, CourseRecord, Method, ProgramRecord
from enrollment.programs.models import fold
from enrollment.programs.queries import Run

_KEY_FIELDS: Final = ("student_key", "external_user_key")


class ProgramEnrollmentIn(BaseModel):
    """One record of a write; the key may come as `external_user_key` too."""

    student_key: str = Field(max_length=MAX_KEY)
    status: str
    curriculum_uuid: UUID | None = None


class CourseEnrollmentIn(BaseModel):
    """One record of a write; the key may come as `external_user_key` too."""

    student_key: str = Field(max_length=MAX_KEY)
    status: str
    course_staff: bool | None = None


class ProgramEnrollmentOut(BaseModel):
    """A key's place in a program; `username` and `email` only with `fields`."""

    student_key: str
    status: str
    account_exists: bool
    curriculum_uuid: UUID
    username: str | None = None
    email: str | None = None


class CourseEnrollmentOut(BaseModel):
    """A key's place in a course of a program; `course_staff` only with `fields`."""

    student_key: str
    status: str
    account_exists: bool
    curriculum_uuid: UUID
    course_staff: bool | None = None


class ProgramEnrollmentPage(BaseModel):
    """One page, by cursor."""

    next: str | None
    previous: str | None
    results: list[ProgramEnrollmentOut]


class CourseEnrollmentPage(BaseModel):
    """One page, by cursor."""

    next: str | None
    previous: str | None
    results: list[CourseEnrollmentOut]


class ProgramName(BaseModel):
    """A program someone has to do with."""

    uuid: UUID
    slug: str


class ResetIn(BaseModel):
    """Whose programs are emptied."""

    organization: str


def read_records(body: object) -> Sequence[Mapping[str, object]]:
    """The records of a write. Raises `MalformedRecord`, `TooManyRecords`."""
    if not isinstance(body, list):
        raise MalformedRecord
    if len(body) > MAX_RECORDS:
        raise TooManyRecords
    records: list[Mapping[str, object]] = []
    for record in body:
        if not isinstance(record, dict):
            raise MalformedRecord
        records.append(record)
    return records


def read_key(record: Mapping[str, object]) -> str:
    """The key, by either of its names; a number is taken as its text. Raises `MalformedRecord`."""
    given = [record[name] for name in _KEY_FIELDS if name in record]
    if not given or any(isinstance(value, bool) or not isinstance(value, str | int | float) for value in given):
        raise MalformedRecord
    keys = {str(value).strip() for value in given}
    key = keys.pop()
    if keys or not key or len(key) > MAX_KEY or "\x00" in key:
        raise MalformedRecord
    return key


def read_status(record: Mapping[str, object]) -> str:
    """Any value but null is the text of a status, known or not. Raises `MalformedRecord`."""
    value = record.get("status")
    if value is None:
        raise MalformedRecord
    return value if isinstance(value, str) else str(value).lower()


def read_curriculum(record: Mapping[str, object]) -> UUID | None:
    """Raises `ValueError` for what is no uuid."""
    value = record.get("curriculum_uuid")
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(value)
    return UUID(value)


def read_program_record(record: Mapping[str, object], method: Method, *, known_status: bool) -> ProgramRecord:
    """Raises `MalformedRecord`. A record with an unknown status is refused for that, whatever else is wrong with it."""
    key = read_key(record)
    try:
        curriculum = read_curriculum(record)
    except ValueError as error:
        if known_status and method != "PATCH":
            raise MalformedRecord from error
        curriculum = None
    else:
        if curriculum is None and known_status and method != "PATCH":
            raise MalformedRecord
    return ProgramRecord(key, fold(key), read_status(record), curriculum)


def read_course_record(record: Mapping[str, object], run: Run, *, known_status: bool) -> CourseRecord:
    """Raises `MalformedRecord`."""
    key = read_key(record)
    staff = record.get("course_staff")
    if "course_staff" in record and not isinstance(staff, bool) and known_status:
        raise MalformedRecord
    return CourseRecord(key, fold(key), read_status(record), run.n, run.key, staff if isinstance(staff, bool) else None)
