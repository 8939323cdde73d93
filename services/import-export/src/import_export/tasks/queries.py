"""Find jobs: for clients by id and course, for workers by what is due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
from sqlalchemy import ColumnElement, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from common.identity import Caller, require_user
from common.resources import Resources
from import_export.courses.queries import get_standing, parse_course_key
from import_export.tasks.errors import TaskNotFound
from import_export.tasks.models import Job, Kind, State

# The oldest job that may be taken up. An import waits while another import of its course is under way, and behind
# older ones of its course; a job whose worker has let its lease run out is anybody's again.
_CLAIM = text(
    """update job set phase = 'working', lease_owner = :worker, attempts = attempts + 1, updated_at = now(),
              state = :state, stage = :stage, percent = :percent,
              lease_until = now() + make_interval(secs => :seconds)
       where id = (
         select j.id from job j
         where j.kind = :kind and j.phase in ('queued', 'working')
           and (j.phase = 'queued' or j.lease_until < now())
           and (j.kind <> 'import' or j.phase = 'working' or not exists (
             select from job o
             where o.course_id = j.course_id and o.kind = 'import'
               and (o.phase in ('working', 'asked')
                    or o.phase = 'queued' and (o.created_at, o.id) < (j.created_at, j.id))))
         order by j.created_at, j.id
         limit 1 for update of j skip locked)
       returning job.*"""
)
_RENEW = text(
    """update job set lease_until = now() + make_interval(secs => :seconds)
       where id = :id and lease_owner = :worker and phase = 'working' returning true"""
)
_NEXT_LEASE = text(
    """select extract(epoch from min(lease_until) - clock_timestamp())::float from job
       where kind = :kind and phase in ('queued', 'working') and lease_until is not null"""
)
_NEXT_WAKE = text(
    "select extract(epoch from min(wake_at) - clock_timestamp())::float from job where wake_at is not null"
)

# by name: a column that a later release has added is nothing to this one
_READ: Final = f"select {', '.join(Job.__table__.columns.keys())} from job where id = $1"
_LOCK_COURSE = text("select pg_advisory_xact_lock(hashtextextended('imports of ' || :course_id, 0))")


async def lock_course(session: AsyncSession, course_id: str) -> None:
    """One at a time: who begins an import of a course, and who ends one and decides what stays of the others."""
    await session.execute(_LOCK_COURSE, {"course_id": course_id})


async def claim_job(
    session: AsyncSession,
    *,
    kind: Kind,
    worker: UUID,
    seconds: float,
    begins: tuple[State, str, int] = (State.IN_PROGRESS, "", 0),
) -> Job | None:
    """Lease the next job of this kind to *worker*, who shows it as *begins* says; None when there is nothing to do."""
    state, stage, percent = begins
    values = {"kind": kind.value, "worker": worker, "seconds": seconds}
    values |= {"state": state.value, "stage": stage, "percent": percent}
    job: Job | None = await session.scalar(select(Job).from_statement(_CLAIM), values)
    return job


async def renew_lease(session: AsyncSession, job_id: UUID, *, worker: UUID, seconds: float) -> bool:
    """False when the job is no longer this worker's: canceled, or taken over."""
    return bool(await session.scalar(_RENEW, {"id": job_id, "worker": worker, "seconds": seconds}))


async def seconds_to_next_lease(session: AsyncSession, kind: Kind) -> float | None:
    """When the first lease runs out, from now; None when none is held."""
    seconds: float | None = await session.scalar(_NEXT_LEASE, {"kind": kind.value})
    return seconds


async def seconds_to_next_wake(session: AsyncSession) -> float | None:
    """When the first timer is due, from now; None when none is set."""
    seconds: float | None = await session.scalar(_NEXT_WAKE)
    return seconds


async def list_due(session: AsyncSession, *, now: datetime, limit: int = 100) -> Sequence[Job]:
    """Jobs whose timer has run out, locked; those another process works on are left to it."""
    query = select(Job).where(Job.wake_at <= now).order_by(Job.wake_at).limit(limit)
    return (await session.scalars(query.with_for_update(skip_locked=True))).all()


async def get_job(session: AsyncSession, job_id: UUID, *, lock: bool = False) -> Job:
    """Raises `TaskNotFound`."""
    query = select(Job).where(Job.id == job_id)
    if lock:
        query = query.with_for_update()
    if job := await session.scalar(query):
        return job
    raise TaskNotFound


async def read_job(pool: asyncpg.Pool, job_id: UUID) -> Job:
    """The job as it is now and of no session: one round trip, for those who ask again and again. Raises `TaskNotFound`.

    Index job_pkey.
    """
    row = await pool.fetchrow(_READ, job_id)
    if row is None:
        raise TaskNotFound
    return Job(**row)


async def find_held_job(session: AsyncSession, job_id: UUID, *, worker: UUID) -> Job | None:
    """The job, locked, if *worker* still holds it."""
    query = select(Job).where(Job.id == job_id, Job.lease_owner == worker, Job.phase == "working")
    return await session.scalar(query.with_for_update())


async def find_job_of_command(session: AsyncSession, command_id: UUID) -> Job | None:
    """The job, locked, that sent this command and still waits for its outcome."""
    query = select(Job).where(Job.command_id == command_id, Job.phase == "asked")
    return await session.scalar(query.with_for_update())


async def list_jobs_awaiting_catalogue(session: AsyncSession, course_ids: Sequence[str]) -> Sequence[Job]:
    """Jobs, locked, whose version the catalogue had not shown when they were last looked at."""
    query = select(Job).where(Job.course_id.in_(course_ids), Job.catalogue == "pending").order_by(Job.id)
    return (await session.scalars(query.with_for_update())).all()


@dataclass(frozen=True, slots=True)
class Filters:
    """Which tasks a list is to show, beside those it may."""

    kind: Kind | None = None
    state: State | None = None
    requested_by: str | None = None
    source_sha: str | None = None
    archive_digest: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


async def list_jobs(
    session: AsyncSession,
    *,
    course_id: str | None = None,
    requester_id: int | None = None,
    filters: Filters = Filters(),
    offset: int,
    limit: int,
) -> tuple[Sequence[Job], int]:
    """One page, newest first, and the count of all."""
    wanted: list[ColumnElement[bool]] = [Job.kind != Kind.INSPECTION.value]
    for column, value in (
        (Job.course_id, course_id),
        (Job.requester_id, requester_id),
        (Job.kind, filters.kind),
        (Job.state, filters.state),
        (Job.requested_by["username"].astext, filters.requested_by),
        (Job.source["sha"].astext, filters.source_sha),
        (Job.archive_digest, filters.archive_digest),
    ):
        if value is not None:
            wanted.append(column == value)
    if filters.created_after is not None:
        wanted.append(Job.created_at >= filters.created_after)
    if filters.created_before is not None:
        wanted.append(Job.created_at < filters.created_before)
    count = await session.scalar(select(func.count()).select_from(Job).where(*wanted))
    page = select(Job).where(*wanted).order_by(Job.created_at.desc(), Job.id.desc()).offset(offset).limit(limit)
    return (await session.scalars(page)).all(), count or 0


async def list_expired(session: AsyncSession, *, now: datetime, keep: timedelta, limit: int = 200) -> Sequence[Job]:
    """Finished jobs nobody needs any more, locked; index job_finished_at."""
    brief = (Job.kind == Kind.INSPECTION.value) & (Job.finished_at < now - min(keep, timedelta(hours=1)))
    query = select(Job).where((Job.finished_at < now - keep) | brief).order_by(Job.finished_at).limit(limit)
    return (await session.scalars(query.with_for_update(skip_locked=True))).all()


def parse_task_id(text: str) -> UUID:
    """Raises `TaskNotFound`: what is no id names no task."""
    try:
        return UUID(text)
    except ValueError as error:
        raise TaskNotFound from error


async def get_visible_job(resources: Resources, caller: Caller, task_id: str) -> Job:
    """A task of the caller's own, or of a course they author. Raises `TaskNotFound`, and 401 for the anonymous."""
    require_user(caller)
    job = await read_job(resources.pool, parse_task_id(task_id))
    if caller.is_staff or (caller.user_id is not None and job.requester_id == caller.user_id):
        return job
    standing = await get_standing(resources.pool, parse_course_key(job.course_id), caller, spelling=job.spelling)
    if standing.role is None:
        raise TaskNotFound
    return job
