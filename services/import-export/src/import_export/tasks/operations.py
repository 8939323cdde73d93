"""What happens to every job alike: it begins, is canceled, ends."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from common.identity import Caller
from common.messaging import outbox
from common.telemetry import request_id, traceparent
from import_export.events import JobFinished, Requester
from import_export.tasks import metrics
from import_export.tasks.errors import TooLateToCancel
from import_export.tasks.litter import leave_behind
from import_export.tasks.models import Job, Json, Kind, Phase, State
from import_export.tasks.queries import get_job
from import_export.tasks.tracing import in_context_of
from import_export.tasks.wakeups import Topic, announce_end

log = structlog.get_logger()


def new_job_id() -> UUID:
    """Ordered by time, so that a leftover upload tells its age."""
    return uuid7()


def aggregate(job: Job) -> str:
    """What this job's messages are about, for their order in the outbox."""
    return f"job:{job.id}"


def requester(caller: Caller) -> Requester:
    return Requester(
        user_id=caller.user_id,
        username=caller.username,
        is_staff=caller.is_staff,
        creator_grants=list(caller.creator_grants),
        org_roles=list(caller.org_roles),
    )


def make_job(
    kind: Kind, job_id: UUID, *, caller: Caller, course_id: str, spelling: str, options: Json, now: datetime
) -> Job:
    return Job(
        id=job_id,
        kind=kind.value,
        course_id=course_id,
        spelling=spelling,
        phase=Phase.QUEUED.value,
        state=State.PENDING.value,
        options=options,
        requested_by=requester(caller).model_dump(mode="json"),
        requester_id=caller.user_id,
        attempts=0,
        revision=0,
        request_id=request_id.get(),
        traceparent=traceparent.get(),
        created_at=now,
        updated_at=now,
    )


async def finish_job(
    session: AsyncSession, job: Job, state: State, *, now: datetime, error: Mapping[str, object] | None = None
) -> None:
    """The job's end, announced once; the caller holds its row."""
    job.phase = Phase.DONE.value
    job.state = state.value
    job.stage = ""
    job.percent = 100 if state is State.SUCCEEDED else job.percent
    job.error = dict(error) if error else None
    job.lease_owner = job.lease_until = job.wake_at = None
    job.finished_at = job.updated_at = now
    await leave_behind(session, job)
    # whoever works on it stops, and who waited for its course begins
    await announce_end(session, Topic(job.kind))
    if job.kind == Kind.INSPECTION:
        return
    username = job.requested_by.get("username")
    announced = JobFinished.model_validate(
        {
            "job_id": job.id,
            "kind": job.kind,
            "course_id": job.course_id,
            "spelling": job.spelling,
            "state": state.value,
            "requested_by": username if isinstance(username, str) else None,
            "error_code": str(job.error["code"]) if job.error else None,
            "archive_digest": job.archive_digest,
            "draft_guid": job.draft_guid,
            "published_guid": job.published_guid,
            "dry_run": job.option("dry_run"),
            "version": job.next_revision(),
            "finished_at": now,
        }
    )
    with in_context_of(job):
        outbox.record(session, announced, aggregate=aggregate(job), version=job.revision)
        log.info(
            "job_ended",
            task_id=str(job.id),
            kind=job.kind,
            course_id=job.course_id,
            state=job.state,
            code=announced.error_code,
            seconds=round((now - job.created_at).total_seconds(), 3),
        )
    metrics.ENDED.labels(job.kind, job.state).inc()
    metrics.SECONDS.labels(job.kind).observe((now - job.created_at).total_seconds())


async def cancel_job(session: AsyncSession, job_id: UUID, *, now: datetime) -> Job:
    """Stop a job nothing of which can have happened yet.

    A worker that is reading the archive finds its lease gone. An import whose command is with content runs to its end;
    an export changes nothing anywhere, so it may be dropped at any moment. Raises `TaskNotFound`, `TooLateToCancel`.
    """
    job = await get_job(session, job_id, lock=True)
    stoppable = {Phase.FETCHING, Phase.QUEUED, Phase.WORKING} | ({Phase.ASKED} if job.kind == Kind.EXPORT else set())
    if Phase(job.phase) not in stoppable:
        raise TooLateToCancel
    await finish_job(session, job, State.CANCELED, now=now)
    return job


def hand_back(job: Job, *, now: datetime) -> None:
    """A worker that has to stop in mid-job lets the next one begin at once, at no cost to the job."""
    job.phase = Phase.QUEUED.value
    job.state = State.PENDING.value
    job.stage = ""
    job.percent = 0
    job.attempts -= 1
    job.lease_owner = job.lease_until = None
    job.updated_at = now
