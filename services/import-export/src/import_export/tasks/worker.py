"""Take up jobs of one kind, one at a time, under a lease that others may take over when it runs out."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

import structlog
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from common.database import DATABASE_AWAY
from common.resources import Resources
from import_export.tasks.models import Job, Json, Kind, Phase, State
from import_export.tasks.operations import finish_job, hand_back
from import_export.tasks.queries import claim_job, find_held_job, renew_lease, seconds_to_next_lease
from import_export.tasks.tracing import in_context_of
from import_export.tasks.wakeups import Topic, Wakeups, announce_change

log = structlog.get_logger()

# What a database or a disk may do to us for a while; the job is taken up again.
TRANSIENT = (*DATABASE_AWAY, SQLAlchemyError)
IDLE_SECONDS = 60.0
INTERNAL_ERROR = {"code": "internal_error", "message": "Something went wrong on our side; the task's id names it."}


class LeaseLost(Exception):
    """The job was canceled, or another worker has it now."""


class JobFailed(Exception):
    """The job cannot succeed, however often it is tried."""

    def __init__(self, code: str, message: str, *, member: str | None = None, report: Json | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.member, self.report = code, message, member, report

    @property
    def error(self) -> Mapping[str, object]:
        named = {"member": self.member} if self.member else {}
        return {"code": self.code, "message": self.message, **named}


@dataclass(frozen=True)
class Held:
    """A leased job. `job` is what it was when it was taken up; `row` is what it is now."""

    job: Job
    worker: UUID
    resources: Resources
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """The work itself has let the job go on; what it still does is to tidy up."""

    @asynccontextmanager
    async def row(self) -> AsyncIterator[tuple[AsyncSession, Job]]:
        """The job's row, locked, in a transaction of its own. Raises `LeaseLost`."""
        async with self.resources.sessions.begin() as session:
            job = await find_held_job(session, self.job.id, worker=self.worker)
            if job is None:
                raise LeaseLost
            yield session, job
            job.updated_at = datetime.now(UTC)
            if job.phase != Phase.WORKING:
                self.released.set()

    async def progress(self, state: State, stage: str, percent: int) -> None:
        """Tell those who watch. Raises `LeaseLost`."""
        async with self.row() as (_, job):
            job.state, job.stage, job.percent = state.value, stage, percent


Work = Callable[[Held], Awaitable[None]]


@dataclass(frozen=True)
class Worker:
    """Runs *work* on every job of *kind*; *work* ends with the job no longer in phase `working`."""

    kind: Kind
    work: Work
    resources: Resources
    wakeups: Wakeups
    lease_seconds: float
    attempts: int
    begins: tuple[State, str, int] = (State.IN_PROGRESS, "", 0)
    """What a job shows from the moment it is taken up."""

    @property
    def _topic(self) -> Topic:
        return Topic(self.kind.value)

    async def run(self) -> None:
        """Run for ever."""
        worker = uuid4()
        while True:
            changed = self.wakeups.current(self._topic)
            try:
                job = await self._claim(worker)
                if job is None:
                    await self.wakeups.wait(changed, await self._patience())
                else:
                    with in_context_of(job):
                        await self._carry_out(Held(job, worker, self.resources))
            except TRANSIENT as error:
                log.warning("worker_interrupted", kind=self.kind.value, error=repr(error))
                await asyncio.sleep(1)

    async def _claim(self, worker: UUID) -> Job | None:
        try:
            async with self.resources.sessions.begin() as session:
                return await claim_job(
                    session, kind=self.kind, worker=worker, seconds=self.lease_seconds, begins=self.begins
                )
        except DBAPIError as error:
            # two workers met over one course: the index keeps one of them out, who looks again
            if "job_one_import_key" in str(error.orig):
                return None
            raise

    async def _patience(self) -> float:
        async with self.resources.sessions() as session:
            left = await seconds_to_next_lease(session, self.kind)
        return IDLE_SECONDS if left is None else min(IDLE_SECONDS, max(0.1, left + 0.05))

    async def _carry_out(self, held: Held) -> None:
        job_log = log.bind(task_id=str(held.job.id), course_id=held.job.course_id, kind=self.kind.value)
        if held.job.attempts > self.attempts:
            job_log.error("job_gave_up", attempts=held.job.attempts)
            gave_up = JobFailed("gave_up", f"Given up after {self.attempts} attempts that did not come to an end.")
            await self._fail(held, gave_up)
            return
        try:
            await self._watched(held)
        except LeaseLost:
            job_log.info("job_abandoned")
        except JobFailed as failure:
            job_log.info("job_failed", code=failure.code, message=failure.message)
            await self._fail(held, failure)
        except asyncio.CancelledError:
            await asyncio.shield(self._hand_back(held))
            raise
        except TRANSIENT as error:
            job_log.warning("job_interrupted", error=repr(error))
            await self._retry(held)
            await asyncio.sleep(1)
        except Exception:  # noqa: BLE001 - one bad archive must not stop the worker for all the others
            job_log.exception("job_crashed")
            await self._fail(held, JobFailed(INTERNAL_ERROR["code"], INTERNAL_ERROR["message"]))

    async def _watched(self, held: Held) -> None:
        """Do the work and keep the lease; stop when the job is no longer ours."""
        work = asyncio.ensure_future(self.work(held))
        try:
            while not work.done():
                changed = asyncio.ensure_future(
                    self.wakeups.wait(self.wakeups.current(self._topic), self.lease_seconds / 3)
                )
                try:
                    await asyncio.wait({work, changed}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changed.cancel()
                if work.done() or held.released.is_set() or await self._renew(held):
                    continue
                # the answer may have waited for the work's own last transaction
                if not held.released.is_set():
                    raise LeaseLost
            await work
        finally:
            if not work.done():
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)

    async def _renew(self, held: Held) -> bool:
        try:
            async with self.resources.sessions.begin() as session:
                return await renew_lease(session, held.job.id, worker=held.worker, seconds=self.lease_seconds)
        except TRANSIENT:
            return True  # the work itself will meet the same trouble; the lease may well survive it

    async def _fail(self, held: Held, failure: JobFailed) -> None:
        with contextlib.suppress(LeaseLost):
            async with held.row() as (session, job):
                if failure.report is not None:
                    job.report = failure.report
                await finish_job(session, job, State.FAILED, now=datetime.now(UTC), error=failure.error)

    async def _retry(self, held: Held) -> None:
        with contextlib.suppress(LeaseLost):
            async with held.row() as (session, job):
                job.phase, job.state = Phase.QUEUED.value, State.RETRYING.value
                job.lease_owner = job.lease_until = None
                await announce_change(session, self._topic)

    async def _hand_back(self, held: Held) -> None:
        with contextlib.suppress(LeaseLost, *TRANSIENT):
            async with asyncio.timeout(5), held.row() as (session, job):
                hand_back(job, now=datetime.now(UTC))
                await announce_change(session, self._topic)
