"""What a piece of each kind of writing job does: rows in, a result for each row out, in the caller's transaction."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from enrollment.commands.batches import carry_out
from enrollment.commands.schemas import CommandRead, read_items
from enrollment.enrollments.models import DEFERRABLE
from enrollment.enrollments.models import Options as Unchecked
from enrollment.jobs.errors import ProgramNotFound
from enrollment.jobs.models import BROKER_USER, Job, Kind, Row
from enrollment.program_enrollments.courses import write_course_enrollments
from enrollment.program_enrollments.models import FAILURES, CourseRecord, Failure, ProgramRecord
from enrollment.program_enrollments.operations import Author, write_program_enrollments
from enrollment.programs.models import Program
from enrollment.programs.queries import find_runs, lock_program

_DUPLICATE: Final = "The file names this learner and course more than once."


@dataclass(slots=True)
class Outcome:
    """A row's line in the result; `late` when a fact on its way here could turn the refusal round."""

    line: dict[str, object]
    good: bool
    late: bool = False


async def locked_program(connection: asyncpg.Connection, job: Job) -> Program:
    """Raises `ProgramNotFound`."""
    program = await lock_program(connection, job.program_uuid) if job.program_uuid else None
    if program is None:
        raise ProgramNotFound
    return program


def _author(job: Job) -> Author:
    return Author(job.owner, "job", job.id)


async def put_program_enrollments(
    connection: asyncpg.Connection, job: Job, rows: Sequence[Row], *, now: datetime
) -> list[Outcome]:
    """By the rules of PUT; without a curriculum the program's first active one."""
    program = await locked_program(connection, job)
    single = [row for row in rows if not row.repeated]
    records = [
        ProgramRecord(str(row.data["student_key"]), row.folded, str(row.data["status"]), _curriculum(row, program))
        for row in single
    ]
    written = await write_program_enrollments(connection, program, records, "PUT", author=_author(job))
    found = dict(zip((row.n for row in single), written, strict=True))
    return [_program_outcome(row, found.get(row.n, Failure.DUPLICATED)) for row in rows]


def _curriculum(row: Row, program: Program) -> UUID | None:
    given = row.data.get("curriculum_uuid")
    return UUID(str(given)) if given else program.curriculum_uuid


def _program_outcome(row: Row, outcome: str) -> Outcome:
    return Outcome({"student_key": row.data["student_key"], "status": str(outcome)}, outcome not in FAILURES)


async def put_course_enrollments(
    connection: asyncpg.Connection, job: Job, rows: Sequence[Row], *, now: datetime
) -> list[Outcome]:
    """By the rules of PUT, in any courses of the program."""
    program = await locked_program(connection, job)
    keys = {run.n: run.key for run in await find_runs(connection, program.uuid)}
    outcomes: dict[int, str] = {row.n: Failure.COURSE_NOT_FOUND for row in rows if row.course_n not in keys}
    outcomes |= {row.n: Failure.DUPLICATED for row in rows if row.repeated}
    single = [row for row in rows if row.n not in outcomes]
    records = [
        CourseRecord(
            str(row.data["student_key"]),
            row.folded.partition("\x1f")[0],
            str(row.data["status"]),
            row.course_n,
            keys[row.course_n],
            staff if isinstance(staff := row.data.get("course_staff"), bool) else None,
        )
        for row in single
        if row.course_n is not None
    ]
    written = await write_course_enrollments(connection, program, records, "PUT", author=_author(job), now=now)
    outcomes |= dict(zip((row.n for row in single), written, strict=True))
    return [_course_outcome(row, outcomes[row.n]) for row in rows]


def _course_outcome(row: Row, outcome: str) -> Outcome:
    line = {name: row.data[name] for name in ("course_id", "student_key")} | {"status": str(outcome)}
    if "course_staff" in row.data:
        line["course_staff"] = row.data["course_staff"]
    return Outcome(line, outcome not in FAILURES)


async def set_enrollments(
    connection: asyncpg.Connection, job: Job, rows: Sequence[Row], *, now: datetime
) -> list[Outcome]:
    """By the rules of `enrollment.enroll.v1`."""
    items = {row.n: row.data for row in rows if not row.repeated}
    options = job.options
    command = CommandRead(
        kind="enroll",
        broker_user=BROKER_USER,
        command_id=str(job.id),
        digest=b"",
        actor=job.owner,
        reason=None,
        issued_at=job.created,
        expires_at=None,
        options=Unchecked(
            ignore_window=options.ignore_window,
            ignore_capacity=options.ignore_capacity,
            ignore_invitation=options.ignore_invitation,
            ignore_mode_expiry=options.ignore_mode_expiry,
        ),
        items=read_items(items),
        raw_items=dict(items),
        reply_to=None,
    )
    results = (await carry_out(connection, [command], now=now))[command.identity] if items else {}
    found = []
    for row in rows:
        names = ("username", "email", "course_id")
        line: dict[str, object] = {name: row.data[name] for name in names if name in row.data}
        result = results.get(row.n)
        if result is None:
            said: dict[str, object] = {"outcome": "rejected", "code": Failure.DUPLICATED.value, "message": _DUPLICATE}
            found.append(Outcome(line | said, good=False))
            continue
        line["outcome"] = result.outcome
        if result.code:
            line |= {"code": result.code, "message": result.message}
        found.append(Outcome(line, result.outcome != "rejected", result.code in DEFERRABLE))
    return found


Work = Callable[..., Awaitable[list[Outcome]]]
WORK: Final[Mapping[Kind, Work]] = {
    Kind.PROGRAM_ENROLLMENTS: put_program_enrollments,
    Kind.COURSE_ENROLLMENTS: put_course_enrollments,
    Kind.ENROLLMENTS: set_enrollments,
}
