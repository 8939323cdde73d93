"""Making, canceling and ending jobs."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from common.messaging.outbox import new_id
from enrollment.jobs import queries
from enrollment.jobs.errors import JobInProgress, JobNotFound, JobOver, NotUndoable
from enrollment.jobs.models import NO_OPTIONS, Format, Job, Kind, Options, State, overall

_INSERT: Final = """
insert into enrollment_job (id, kind, direction, scope, program_uuid, course_n, undo_of, owner, dry_run, options,
  format, upload)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::jsonb, $11, $12)
on conflict (scope) where finished is null and direction = 'write' do nothing
"""
_ASK_TO_STOP: Final = "update enrollment_job set cancel_requested = true where id = $1"
_FINISH: Final = """
update enrollment_job set state = $2, text = $3, result = $4, error = $5::text::jsonb, finished = $6 where id = $1
"""
_FORGET_ROWS: Final = "delete from enrollment_job_row where job_id = $1"
_FORGET_PARTS: Final = "delete from enrollment_job_part where job_id = $1"
_OLD: Final = """
select id, upload, result from enrollment_job where finished < $1 order by created limit 100
"""
_DELETE: Final = "delete from enrollment_job where id = $1"


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be made."""

    kind: Kind
    scope: str
    owner: str
    format: Format
    writes: bool = True
    program_uuid: UUID | None = None
    course_n: int | None = None
    undo_of: UUID | None = None
    dry_run: bool = False
    options: Options = NO_OPTIONS
    upload: str | None = None
    id: UUID | None = None


async def create_job(connection: asyncpg.Connection, new: NewJob) -> Job:
    """Raises `JobInProgress` when another job is writing in this scope."""
    job_id = new.id or new_id()
    done = await connection.execute(
        _INSERT,
        job_id,
        new.kind.value,
        "write" if new.writes else "read",
        new.scope,
        new.program_uuid,
        new.course_n,
        new.undo_of,
        new.owner,
        new.dry_run,
        orjson.dumps(asdict(new.options)).decode(),
        new.format.value,
        new.upload,
    )
    if done != "INSERT 0 1":
        other = await queries.find_job_in_scope(connection, new.scope)
        raise JobInProgress(job_id=str(other.id) if other else None)
    job = await queries.find_job(connection, job_id)
    if job is None:
        raise JobNotFound
    return job


async def undo_job(connection: asyncpg.Connection, job_id: UUID, *, owner: str, dry_run: bool) -> Job:
    """A job that takes back what another wrote. Raises `JobNotFound`, `NotUndoable`, `JobInProgress`."""
    job = await queries.find_job(connection, job_id, lock=True)
    if job is None:
        raise JobNotFound
    wrote = job.direction == "write" and job.kind is not Kind.UNDO and not job.dry_run
    if not wrote or job.finished is None or job.done == 0 or await queries.has_undo(connection, job_id):
        raise NotUndoable
    return await create_job(
        connection,
        NewJob(
            kind=Kind.UNDO,
            scope=job.scope,
            owner=owner,
            format=job.format,
            program_uuid=job.program_uuid,
            course_n=job.course_n,
            undo_of=job_id,
            dry_run=dry_run,
        ),
    )


async def cancel_job(connection: asyncpg.Connection, job_id: UUID) -> Job:
    """It stops after the piece it is at; what was written stays written. Raises `JobNotFound`, `JobOver`."""
    job = await queries.find_job(connection, job_id, lock=True)
    if job is None:
        raise JobNotFound
    if job.finished:
        raise JobOver
    await connection.execute(_ASK_TO_STOP, job_id)
    return job


async def finish_job(
    connection: asyncpg.Connection,
    job: Job,
    state: State,
    *,
    now: datetime,
    result: str | None = None,
    error: dict[str, object] | None = None,
) -> None:
    """The end, in the transaction that forgets the rows."""
    text = None if state is State.FAILED else overall(job.counts)
    said = None if error is None else orjson.dumps(error).decode()
    await connection.execute(_FINISH, job.id, state.value, text, result, said, now)
    await connection.execute(_FORGET_ROWS, job.id)
    await connection.execute(_FORGET_PARTS, job.id)


async def forget_jobs(connection: asyncpg.Connection, *, now: datetime, days: int) -> list[str]:
    """Delete a hundred jobs that ended so long ago; returns the blobs that nobody needs any more."""
    rows = await connection.fetch(_OLD, now - timedelta(days=days))
    for row in rows:
        await connection.execute(_DELETE, row["id"])
    return [key for row in rows for key in (row["upload"], row["result"]) if key]
