"""What each kind of job reads of a record: checked while the file is received, and again while it is staged."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import orjson

from common.keys import CourseKey, InvalidKey
from enrollment.jobs.errors import BadFile
from enrollment.jobs.models import Format, Kind, Staged
from enrollment.jobs.reading import Record, read_file
from enrollment.program_enrollments.errors import MalformedRecord
from enrollment.program_enrollments.models import HELD, PROGRAM_STATUSES
from enrollment.program_enrollments.schemas import read_curriculum, read_key, read_status
from enrollment.programs.models import fold
from enrollment.programs.queries import Run

_KEY: Final = ("student_key", "external_user_key")
COLUMNS: Final[Mapping[Kind, tuple[tuple[str, ...], ...]]] = {
    Kind.PROGRAM_ENROLLMENTS: (_KEY, ("status",)),
    Kind.COURSE_ENROLLMENTS: (_KEY, ("course_id",), ("status",)),
    Kind.ENROLLMENTS: (("username", "email"), ("course_id",)),
}
_TRUE: Final = frozenset({"true", "1", "yes", "y"})
_FALSE: Final = frozenset({"false", "0", "no", "n"})
_MAX_TEXT: Final = 255
_BETWEEN: Final = "\x1f"


class Reader:
    """Turns records into rows; knows the program's runs, under either of their names, and a course for all rows."""

    def __init__(self, kind: Kind, *, runs: Mapping[str, Run] | None = None, course_id: str | None = None) -> None:
        self._kind, self._runs, self._course_id = kind, runs or {}, course_id
        reads: Mapping[Kind, Callable[[Record], Staged]] = {
            Kind.PROGRAM_ENROLLMENTS: self._program,
            Kind.COURSE_ENROLLMENTS: self._course,
            Kind.ENROLLMENTS: self._enrollment,
        }
        self._read = reads[kind]

    def rows(self, path: Path, format_: Format) -> Iterator[Staged]:
        """Raises `BadFile` with the line."""
        required = COLUMNS[self._kind]
        if self._course_id is not None:
            required = tuple(group for group in required if group != ("course_id",))
        for line, record in read_file(path, format_, required):
            try:
                row = self._read(record)
                orjson.dumps(row.data)  # half a surrogate pair is no text that could be kept
                yield row
            except (MalformedRecord, TypeError) as error:
                raise BadFile("This is no valid enrollment record.", line=line) from error
            except BadFile as error:
                raise BadFile(error.message, line=line) from error

    def _program(self, record: Record) -> Staged:
        key, status = read_key(record), read_status(record)
        try:
            curriculum = read_curriculum(record)
        except ValueError as error:
            raise MalformedRecord from error
        data: dict[str, object] = {"student_key": key, "status": status}
        if curriculum:
            data["curriculum_uuid"] = str(curriculum)
        return Staged(fold(key), None, status in PROGRAM_STATUSES and status not in HELD, data)

    def _course(self, record: Record) -> Staged:
        key, status = read_key(record), read_status(record)
        course = self._course_id or _text(record, "course_id", needed=True) or ""
        run = self._runs.get(course) or self._runs.get(_canonical(course))
        data: dict[str, object] = {"course_id": course, "student_key": key, "status": status}
        staff = _boolean(record, "course_staff")
        if staff is not None:
            data["course_staff"] = staff
        place = str(run.n) if run else course
        return Staged(f"{fold(key)}{_BETWEEN}{place}", run.n if run else None, status == "inactive", data)

    def _enrollment(self, record: Record) -> Staged:
        username, email = _text(record, "username"), _text(record, "email")
        if not (username or email):
            raise BadFile("There is no username or email.")
        course = self._course_id or _text(record, "course_id", needed=True) or ""
        active = _boolean(record, "is_active")
        data: dict[str, object] = {"username": username} if username else {"email": email}
        data["course_id"] = course
        if mode := _text(record, "mode", most=100):
            data["mode"] = mode
        if active is not None:
            data["is_active"] = active
        if cohort := _text(record, "cohort"):
            data["cohort"] = cohort
        who = username or (email or "").lower()
        return Staged(f"{who}{_BETWEEN}{_canonical(course)}", None, active is False, data)


def _canonical(course_id: str) -> str:
    try:
        return CourseKey.parse(course_id).canonical
    except InvalidKey:
        return course_id


def _text(record: Record, name: str, *, needed: bool = False, most: int = _MAX_TEXT) -> str | None:
    value = record.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or value == "":
        if needed:
            raise BadFile(f"There is no {name}.")
        return None
    if not isinstance(value, str) or len(value) > most or "\x00" in value or not value.isprintable():
        raise BadFile(f"{name} is no text of up to {most} printable characters.")
    return value.strip()


def _boolean(record: Record, name: str) -> bool | None:
    value = record.get(name)
    if value is None or isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise BadFile(f"{name} is neither true nor false.")
