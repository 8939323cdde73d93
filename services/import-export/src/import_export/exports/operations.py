"""The life of an export: content writes a snapshot, a worker builds the archive from it, unless one is there."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from common.identity import Caller
from common.messaging import outbox
from import_export.courses.models import Standing
from import_export.events import Requester, SnapshotCourse
from import_export.exports.models import Archive, Choice
from import_export.exports.queries import find_archive, find_newest_archive, list_least_used
from import_export.tasks.models import Job, Kind, Phase, State
from import_export.tasks.operations import aggregate, finish_job, make_job
from import_export.tasks.replies import CommandCompleted
from import_export.tasks.tracing import in_context_of
from import_export.tasks.wakeups import Topic, announce_change

ANSWER_WITHIN = timedelta(minutes=10)
TOUCHED_ANEW_AFTER = timedelta(minutes=1)


def choice_of(job: Job) -> Choice:
    branch, version = job.options.get("branch"), job.options.get("version")
    return Choice(
        branch="published" if branch == "published" else "draft" if branch == "draft" else None,
        version=version if isinstance(version, str) else None,
    )


async def start_export(
    session: AsyncSession, job_id: UUID, *, caller: Caller, standing: Standing, choice: Choice, now: datetime
) -> Job:
    """Ask content for the course; a version that is already built is only asked about."""
    job = make_job(
        Kind.EXPORT,
        job_id,
        caller=caller,
        course_id=standing.course_id,
        spelling=standing.spelling,
        options={"branch": choice.branch, "version": choice.version},
        now=now,
    )
    session.add(job)
    known = None if choice.version else await find_newest_archive(session, standing.course_id, choice)
    guid = None
    if known is not None:
        guid = known.draft_guid if choice.variant == "draft" else known.published_guid
    ask_for_snapshot(session, job, if_not_version=guid, now=now)
    return job


def ask_for_snapshot(session: AsyncSession, job: Job, *, if_not_version: str | None, now: datetime) -> None:
    """The command to content, in the caller's transaction."""
    choice = choice_of(job)
    command = SnapshotCourse(
        command_id=uuid4(),
        requested_by=Requester.model_validate(job.requested_by),
        course_id=job.course_id,
        branch=choice.branch,
        version=choice.version,
        if_not_version=if_not_version,
        expires_at=now + ANSWER_WITHIN,
    )
    job.phase, job.state, job.stage, job.percent = Phase.ASKED.value, State.IN_PROGRESS.value, "Exporting", 10
    job.command_id = command.command_id
    job.command = command.model_dump(mode="json")
    job.wake_at = command.expires_at + timedelta(seconds=30)
    job.updated_at = now
    with in_context_of(job):
        outbox.record(session, command, aggregate=aggregate(job), version=job.next_revision())


async def settle_export(session: AsyncSession, job: Job, reply: CommandCompleted, *, now: datetime) -> None:
    """What content says; the caller holds the job's row."""
    choice = choice_of(job)
    job.draft_guid, job.published_guid = reply.draft_guid, reply.published_guid
    job.updated_at = now
    if reply.outcome == "rejected":
        error = {"code": reply.code or "rejected", "message": reply.message or "Content has refused this export."}
        await finish_job(session, job, State.FAILED, now=now, error=error)
        return
    job.archive_key = choice.key(job.course_id, reply.draft_guid, reply.published_guid)
    built = await find_archive(session, job.archive_key) if job.archive_key else None
    if built is not None:
        await finish_job(session, job, State.SUCCEEDED, now=now)
    elif reply.snapshot:
        job.phase, job.stage, job.percent = Phase.QUEUED.value, "Compressing", 50
        job.snapshot = reply.snapshot
        job.wake_at = None
        await announce_change(session, Topic.EXPORT)
    else:
        # "unchanged", but the archive it is unchanged from has made room since, or was made of another draft
        ask_for_snapshot(session, job, if_not_version=None, now=now)


async def fail_unanswered(session: AsyncSession, job: Job, *, now: datetime) -> None:
    """An export changes nothing: an answer that does not come is not waited for."""
    error = {"code": "no_answer", "message": "Content did not answer in time; try again."}
    await finish_job(session, job, State.FAILED, now=now, error=error)


async def keep_archive(
    session: AsyncSession, job: Job, *, blob: str, size: int, has_drafts: bool, filename: str, now: datetime
) -> str | None:
    """Note the built archive and end the job; returns the blob to delete when another worker was first."""
    choice = choice_of(job)
    if job.archive_key is None:
        raise ValueError(f"job {job.id} names no version")
    guids = job.archive_key.rpartition("@")[2]
    # without drafts the archive is the published version and nothing else
    etag = guids if has_drafts or choice.variant != "default" else job.published_guid or guids
    insertion = insert(Archive).values(
        key=job.archive_key,
        course_id=job.course_id,
        variant=choice.variant,
        draft_guid=job.draft_guid,
        published_guid=job.published_guid,
        etag=etag,
        blob=blob,
        size=size,
        filename=filename,
        created_at=now,
        used_at=now,
    )
    was_first = await session.scalar(insertion.on_conflict_do_nothing().returning(Archive.key))
    job.counts = {"bytes": size}
    await finish_job(session, job, State.SUCCEEDED, now=now)
    return None if was_first else blob


async def make_room(session: AsyncSession, *, keep: str, budget: int) -> list[str]:
    """Forget the longest unused archives beyond the budget; returns the blobs to delete once that is committed."""
    leaving = await list_least_used(session, keep=keep, budget=budget)
    if leaving:
        await session.execute(delete(Archive).where(Archive.key.in_([archive.key for archive in leaving])))
    return [archive.blob for archive in leaving]


async def forget_archive(session: AsyncSession, key: str) -> None:
    """Its blob is gone."""
    await session.execute(delete(Archive).where(Archive.key == key))


async def touch_archive(session: AsyncSession, key: str, *, now: datetime) -> None:
    """It is used: callers need not say so more often than every `TOUCHED_ANEW_AFTER`."""
    query = update(Archive).where(Archive.key == key)
    await session.execute(query.values(used_at=now))
