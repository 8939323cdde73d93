"""The life of an inspection: content writes the draft out, unless it is still the version looked at before."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from common.identity import Caller
from import_export.courses.models import Standing
from import_export.exports.operations import ask_for_snapshot
from import_export.inspections.models import Inspection
from import_export.inspections.queries import find_inspection
from import_export.tasks.models import Job, Json, Kind, Phase, State
from import_export.tasks.operations import finish_job, make_job
from import_export.tasks.replies import CommandCompleted
from import_export.tasks.wakeups import Topic, announce_change


async def start_inspection(
    session: AsyncSession, job_id: UUID, *, caller: Caller, standing: Standing, now: datetime
) -> Job:
    """Content is asked at every request, so an answer is never stale."""
    job = make_job(
        Kind.INSPECTION,
        job_id,
        caller=caller,
        course_id=standing.course_id,
        spelling=standing.spelling,
        options={"branch": "draft", "version": None},
        now=now,
    )
    session.add(job)
    known = await find_inspection(session, standing.course_id)
    ask_for_snapshot(session, job, if_not_version=known.draft_guid if known else None, now=now)
    return job


async def settle_inspection(session: AsyncSession, job: Job, reply: CommandCompleted, *, now: datetime) -> None:
    """What content says; the caller holds the job's row."""
    job.draft_guid, job.updated_at = reply.draft_guid, now
    known = await find_inspection(session, job.course_id)
    if reply.outcome == "rejected":
        error = {"code": reply.code or "rejected", "message": reply.message or "Content has refused this."}
        await finish_job(session, job, State.FAILED, now=now, error=error)
    elif reply.snapshot:
        job.phase, job.stage, job.percent = Phase.QUEUED.value, "Looking", 50
        job.snapshot, job.wake_at = reply.snapshot, None
        await announce_change(session, Topic.INSPECTION)
    elif known is not None and known.draft_guid == reply.draft_guid:
        await finish_job(session, job, State.SUCCEEDED, now=now)
    else:
        # "unchanged" since a version that another inspection has replaced meanwhile
        ask_for_snapshot(session, job, if_not_version=None, now=now)


async def keep_findings(session: AsyncSession, job: Job, findings: Json, *, now: datetime) -> None:
    """Keep what was found and end the job, whose row the caller holds."""
    values = {"draft_guid": job.draft_guid or "", "findings": findings, "made_at": now}
    insertion = insert(Inspection).values(course_id=job.course_id, **values)
    await session.execute(insertion.on_conflict_do_update(index_elements=[Inspection.course_id], set_=values))
    await finish_job(session, job, State.SUCCEEDED, now=now)
