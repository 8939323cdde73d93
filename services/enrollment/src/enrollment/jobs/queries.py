"""Questions about jobs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from enrollment.jobs.models import Format, Job, Kind, Options, Row, State

_COLUMNS: Final = """id, kind, direction, scope, program_uuid, course_n, undo_of, owner, created, started, finished,
  state, text, dry_run, options::text as options, format, upload, total, done, counts::text as counts, result,
  cancel_requested, failures, error::text as error"""
_ONE: Final = f"select {_COLUMNS} from enrollment_job where id = $1"
_LOCK: Final = f"{_ONE} for update"
# indexes enrollment_job_open, enrollment_job_page
_OPEN: Final = f"select {_COLUMNS} from enrollment_job where finished is null order by created limit 100"
_LIST: Final = f"""
select {_COLUMNS} from enrollment_job
where ($1::text is null or owner = $1) and ($2 or finished is null)
  and ($3::timestamptz is null or (created, id) < ($3, $4::uuid))
order by created desc, id desc limit $5
"""
_IN_SCOPE: Final = f"""
select {_COLUMNS} from enrollment_job where scope = $1 and finished is null and direction = 'write'
"""
_ROWS: Final = """
select n, folded, course_n, data, repeated from enrollment_job_row where job_id = $1 and n > $2 order by n limit $3
"""
_HAS_UNDO: Final = """
select exists (select from enrollment_job where undo_of = $1 and not dry_run and state <> 'Failed')
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of jobs begins."""

    created: datetime
    id: UUID


def read_job(row: Mapping[str, object]) -> Job:
    values = dict(row)
    return Job(
        **values  # type: ignore[arg-type]
        | {
            "kind": Kind(str(values["kind"])),
            "state": State(str(values["state"])),
            "format": Format(str(values["format"])),
            "options": Options(**orjson.loads(str(values["options"]))),
            "counts": orjson.loads(str(values["counts"])),
            "error": orjson.loads(str(values["error"])) if values["error"] else None,
        }
    )


async def find_job(asks: asyncpg.Pool, job_id: UUID, *, lock: bool = False) -> Job | None:
    row = await asks.fetchrow(_LOCK if lock else _ONE, job_id)
    return read_job(row) if row else None


async def find_job_in_scope(asks: asyncpg.Pool, scope: str) -> Job | None:
    """The job that keeps others from writing there."""
    row = await asks.fetchrow(_IN_SCOPE, scope)
    return read_job(row) if row else None


async def list_jobs(
    pool: asyncpg.Pool, *, owner: str | None, everything: bool, before: Place | None, size: int
) -> Sequence[Job]:
    """Newest first; without `everything` those that have not ended."""
    place = (before.created, before.id) if before else (None, None)
    return [read_job(row) for row in await pool.fetch(_LIST, owner, everything, *place, size)]


async def list_open_jobs(pool: asyncpg.Pool) -> Sequence[Job]:
    """Oldest first."""
    return [read_job(row) for row in await pool.fetch(_OPEN)]


async def find_rows(connection: asyncpg.Connection, job: Job, *, size: int) -> Sequence[Row]:
    """The next rows."""
    rows = await connection.fetch(_ROWS, job.id, job.done, size)
    return [Row(row["n"], row["folded"], row["course_n"], orjson.loads(row["data"]), row["repeated"]) for row in rows]


async def has_undo(connection: asyncpg.Connection, job_id: UUID) -> bool:
    found: bool = await connection.fetchval(_HAS_UNDO, job_id)
    return found
