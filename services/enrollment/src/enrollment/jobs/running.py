"""Carry jobs out: stage the rows, write them piece by piece, keep the result.

A piece's effects, its results and how far the job is are one transaction. So a process may die at any moment: whoever
goes on, goes on behind the last piece that was committed.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

import asyncpg
import orjson
import structlog

from common.blobs import BlobMissing, put_file
from common.database import DATABASE_AWAY
from common.errors import Refusal
from common.messaging import crash
from common.resources import Resources
from enrollment.enrollments.changes import RacedError
from enrollment.jobs import queries, undoing
from enrollment.jobs.exports import export_pages
from enrollment.jobs.models import BAD, GOOD, Job, Kind, Row, Staged, State
from enrollment.jobs.operations import finish_job
from enrollment.jobs.rows import Reader
from enrollment.jobs.thresholds import TooManyDrops, check_drops
from enrollment.jobs.work import WORK, Outcome
from enrollment.programs.queries import Run, find_runs
from enrollment.transactions import RACES

log = structlog.get_logger()

PIECE: Final = 1000
_STAGE_AT_ONCE: Final = 5000
_ATTEMPTS: Final = 10
_FAILURES: Final = 5
_LOCK_CLASS: Final = 0x4A4F42
_TRANSIENT: Final = (*DATABASE_AWAY, RacedError)

_TRY_LOCK: Final = f"select pg_try_advisory_lock({_LOCK_CLASS}, hashtext($1))"
_UNLOCK: Final = f"select pg_advisory_unlock({_LOCK_CLASS}, hashtext($1))"
_START: Final = """
update enrollment_job set state = 'In Progress', started = coalesce(started, now()), failures = $2
where id = $1 and finished is null
"""
_RETRY: Final = (
    "update enrollment_job set state = 'Retrying', failures = failures + 1 where id = $1 and finished is null"
)
_STAGED: Final = "update enrollment_job set total = $2 where id = $1"
# no statistics know the rows copied a moment ago; taken for a few, they would be compared each with each
_MANY_ROWS: Final = "set local enable_nestloop = off"
_REPEATED: Final = """
update enrollment_job_row r set repeated = true
from (select folded from enrollment_job_row where job_id = $1 group by folded having count(*) > 1) d
where r.job_id = $1 and r.folded = d.folded
"""
_UNKNOWN_COURSES: Final = """
select exists (select from enrollment_job_row where job_id = $1 and course_n is null)
"""
_PART: Final = "insert into enrollment_job_part (job_id, n, body) values ($1, $2, $3)"
_ADVANCE: Final = "update enrollment_job set done = $2, counts = $3::text::jsonb where id = $1"
_PARTS: Final = "select n, body from enrollment_job_part where job_id = $1 and n > $2 order by n limit 50"
_LEFT: Final = "select n, data from enrollment_job_row where job_id = $1 and n > $2 order by n limit $3"


class _Writes(Protocol):
    def write(self, data: bytes, /) -> int: ...


class _Undone(Exception):
    """Takes a dry run's piece back."""


class _Late(Exception):
    """A fact that is announced but not heard here yet may turn a refusal round: the piece is tried again."""


@dataclass(frozen=True)
class Runner:
    """Takes up the jobs of this service, one at a time."""

    resources: Resources
    patience: timedelta
    pause: float

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                if not await self.run_next():
                    await asyncio.sleep(self.pause)
            except _TRANSIENT as error:
                log.warning("jobs_interrupted", error=repr(error))
                await asyncio.sleep(self.pause)

    async def run_next(self) -> bool:
        """Carry out the oldest job that nobody else has at hand; False when there is none."""
        for job in await queries.list_open_jobs(self.resources.pool):
            async with self._alone(job) as mine:
                current = await queries.find_job(self.resources.pool, job.id) if mine else None
                if current and current.finished is None:
                    await self._carry_out(current)
                    return True
        return False

    @asynccontextmanager
    async def _alone(self, job: Job) -> AsyncIterator[bool]:
        """Whether no other process has it; a process that dies lets it go with its connection."""
        async with self.resources.pool.acquire() as connection:
            mine: bool = await connection.fetchval(_TRY_LOCK, str(job.id))
            try:
                yield mine
            finally:
                if mine and not connection.is_closed():
                    await connection.fetchval(_UNLOCK, str(job.id))

    async def _carry_out(self, job: Job) -> None:
        named = log.bind(job_id=str(job.id), kind=job.kind.value)
        try:
            await self.resources.pool.execute(_START, job.id, job.failures)
            await self._steps(replace(job, state=State.IN_PROGRESS))
            named.info("job_ended")
        except (TooManyDrops, Refusal, BlobMissing) as error:
            code = error.error_code if isinstance(error, Refusal) else "upload_gone"
            extra = dict(error.extra) if isinstance(error, Refusal) else {}
            await self._fail(job, {"code": code, "message": str(error), **extra})
            named.warning("job_failed", code=code)
        except _TRANSIENT as error:
            named.warning("job_interrupted", error=repr(error))
            await self.resources.pool.execute(_RETRY, job.id)
            await asyncio.sleep(self.pause)
        except Exception:  # noqa: BLE001 - one job that cannot be carried out must not stop all others
            named.exception("job_crashed")
            if job.failures + 1 >= _FAILURES:
                await self._fail(job, {"code": "internal_error", "message": "Something went wrong on our side."})
            else:
                await self.resources.pool.execute(_RETRY, job.id)

    async def _steps(self, job: Job) -> None:
        if job.direction == "read":
            await self._export(job)
            return
        while job.total is None:
            try:
                job = replace(job, total=await self._stage(job))
            except _Late:
                await asyncio.sleep(0.2)
        if job.done == 0:
            async with self.resources.pool.acquire() as connection:
                await check_drops(connection, job)
        state = State.SUCCEEDED
        while True:
            outcome = await self._piece_repeated(job.id)
            if outcome is None:
                break
            if outcome is State.CANCELED:
                state = outcome
                break
        await self._keep_result(job, state)

    async def _stage(self, job: Job) -> int:
        """Copy the file's rows into the database, all or none; returns how many."""
        async with self.resources.pool.acquire() as connection, connection.transaction():
            if job.kind is Kind.UNDO:
                await connection.execute(undoing.STAGE, *undoing.scope_id(job))
            else:
                await self._copy_rows(connection, job)
                if await self._names_late_courses(connection, job):
                    raise _Late
                await connection.execute(_MANY_ROWS)
                await connection.execute(_REPEATED, job.id)
            total: int = await connection.fetchval("select count(*) from enrollment_job_row where job_id = $1", job.id)
            await connection.execute(_STAGED, job.id, total)
        return total

    async def _names_late_courses(self, connection: asyncpg.Connection, job: Job) -> bool:
        """Whether a course the program is not known to have may still be announced."""
        if job.kind is not Kind.COURSE_ENROLLMENTS or datetime.now(UTC) > job.created + self.patience:
            return False
        found: bool = await connection.fetchval(_UNKNOWN_COURSES, job.id)
        return found

    async def _copy_rows(self, connection: asyncpg.Connection, job: Job) -> None:
        runs: dict[str, Run] = {}
        course_id = None
        if job.kind is Kind.COURSE_ENROLLMENTS and job.program_uuid:
            for run in await find_runs(connection, job.program_uuid):
                runs |= {run.key: run, run.spelling: run} | ({run.external_key: run} if run.external_key else {})
        if job.course_n is not None:
            course_id = await connection.fetchval("select spelling from course where n = $1", job.course_n)
        reader = Reader(job.kind, runs=runs, course_id=course_id)
        async with self._local_upload(job) as path:
            rows = reader.rows(path, job.format)
            first = 1
            while batch := await asyncio.to_thread(_take, rows, _STAGE_AT_ONCE):
                records = [
                    (job.id, first + place, row.folded, row.course_n, row.drops, orjson.dumps(row.data).decode())
                    for place, row in enumerate(batch)
                ]
                columns = ("job_id", "n", "folded", "course_n", "drops", "data")
                await connection.copy_records_to_table("enrollment_job_row", records=records, columns=columns)
                first += len(batch)

    @asynccontextmanager
    async def _local_upload(self, job: Job) -> AsyncIterator[Path]:
        key = job.upload or ""
        if path := self.resources.blobs.local_path(key):
            if not path.exists():
                raise BlobMissing(key)
            yield path
            return
        with tempfile.NamedTemporaryFile(prefix="lectern-job-") as out:
            async for chunk in self.resources.blobs.stream(key):
                await asyncio.to_thread(out.write, chunk)
            out.flush()
            yield Path(out.name)

    async def _piece_repeated(self, job_id: object) -> Job | State | None:
        """The next piece, again when it met others or came before its facts."""
        attempt = 0
        while True:
            try:
                async with self.resources.pool.acquire() as connection, connection.transaction():
                    found = await self._piece(connection, job_id)
                    crash.point("jobs.before_commit")
            except _Late:
                await asyncio.sleep(0.2)
            except RacedError:
                attempt += 1
                if attempt == _ATTEMPTS:
                    raise
            except asyncpg.PostgresError as error:
                attempt += 1
                if error.sqlstate not in RACES or attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(0.02 * attempt)
            else:
                crash.point("jobs.after_commit")
                return found

    async def _piece(self, connection: asyncpg.Connection, job_id: object) -> Job | State | None:
        """One piece; None when there is no more."""
        job = await queries.find_job(connection, job_id, lock=True)  # type: ignore[arg-type]
        if job is None or job.finished or job.cancel_requested:
            return State.CANCELED
        rows = await queries.find_rows(connection, job, size=PIECE)
        if not rows:
            return None
        outcomes = await self._work(connection, job, rows)
        await connection.execute(_PART, job.id, rows[0].n, _body(outcomes))
        counts = dict(job.counts)
        for outcome in outcomes:
            name = GOOD if outcome.good else BAD
            counts[name] = counts.get(name, 0) + 1
            said = str(outcome.line.get("outcome") or outcome.line.get("status"))
            counts[f"outcome:{said}"] = counts.get(f"outcome:{said}", 0) + 1
        await connection.execute(_ADVANCE, job.id, rows[-1].n, orjson.dumps(counts).decode())
        return job

    async def _work(self, connection: asyncpg.Connection, job: Job, rows: Sequence[Row]) -> list[Outcome]:
        now = datetime.now(UTC)
        work = undoing.undo_rows if job.kind is Kind.UNDO else WORK[job.kind]
        outcomes: list[Outcome] = []
        try:
            async with connection.transaction():
                outcomes = await work(connection, job, rows, now=now)
                if job.dry_run:
                    raise _Undone
        except _Undone:
            pass
        if any(outcome.late for outcome in outcomes) and now < job.created + self.patience:
            raise _Late
        return outcomes

    async def _keep_result(self, job: Job, state: State) -> None:
        """Put the pieces' results into one file; rows that a canceled job left come as `not-processed`."""
        key = f"enrollmentjobs/{job.id}/result"
        with tempfile.NamedTemporaryFile(prefix="lectern-job-") as out:
            last = 0
            while rows := await self.resources.pool.fetch(_PARTS, job.id, last):
                last = rows[-1]["n"]
                text = "".join(row["body"] for row in rows)
                await asyncio.to_thread(out.write, text.encode())
            if state is State.CANCELED and job.kind is not Kind.UNDO:
                await self._write_left(job, out)
            await asyncio.to_thread(out.flush)
            await put_file(self.resources.blobs, key, Path(out.name))
        async with self.resources.pool.acquire() as connection, connection.transaction():
            current = await queries.find_job(connection, job.id, lock=True)
            if current and current.finished is None:
                await finish_job(connection, current, state, now=datetime.now(UTC), result=key)

    async def _write_left(self, job: Job, out: _Writes) -> None:
        last = await self.resources.pool.fetchval("select done from enrollment_job where id = $1", job.id)
        while rows := await self.resources.pool.fetch(_LEFT, job.id, last, _STAGE_AT_ONCE):
            last = rows[-1]["n"]
            lines = [_not_processed(job.kind, orjson.loads(row["data"])) for row in rows]
            await asyncio.to_thread(out.write, b"".join(orjson.dumps(line) + b"\n" for line in lines))

    async def _export(self, job: Job) -> None:
        key = f"enrollmentjobs/{job.id}/result"
        count = 0
        with tempfile.NamedTemporaryFile(prefix="lectern-job-") as out:
            async for lines in export_pages(self.resources.pool, job):
                await asyncio.to_thread(out.write, "".join(f"{line}\n" for line in lines).encode())
                count += len(lines)
                await self.resources.pool.execute(_ADVANCE, job.id, count, orjson.dumps({GOOD: count}).decode())
                if (current := await queries.find_job(self.resources.pool, job.id)) and current.cancel_requested:
                    await self._end(job, State.CANCELED, None)
                    return
            await asyncio.to_thread(out.flush)
            await put_file(self.resources.blobs, key, Path(out.name))
        await self.resources.pool.execute(_STAGED, job.id, count)
        await self._end(job, State.SUCCEEDED, key)

    async def _end(self, job: Job, state: State, result: str | None) -> None:
        async with self.resources.pool.acquire() as connection, connection.transaction():
            current = await queries.find_job(connection, job.id, lock=True)
            if current and current.finished is None:
                await finish_job(connection, current, state, now=datetime.now(UTC), result=result)

    async def _fail(self, job: Job, error: dict[str, object]) -> None:
        async with self.resources.pool.acquire() as connection, connection.transaction():
            current = await queries.find_job(connection, job.id, lock=True)
            if current and current.finished is None:
                await finish_job(connection, current, State.FAILED, now=datetime.now(UTC), error=error)


def _take(rows: object, size: int) -> list[Staged]:
    """The next so many."""
    taken: list[Staged] = []
    for row in rows:  # type: ignore[attr-defined]
        taken.append(row)
        if len(taken) == size:
            break
    return taken


def _body(outcomes: Sequence[Outcome]) -> str:
    return "".join(orjson.dumps(outcome.line).decode() + "\n" for outcome in outcomes)


def _not_processed(kind: Kind, data: Mapping[str, object]) -> dict[str, object]:
    if kind is Kind.ENROLLMENTS:
        return {**data, "outcome": "rejected", "code": "not-processed", "message": "The job was canceled before."}
    return {**data, "status": "not-processed"}
