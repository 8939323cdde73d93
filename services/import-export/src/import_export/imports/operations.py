"""The life of an import: begun by a request, sent by a worker, settled by content's reply and the catalogue's news."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from common.identity import Caller, grants_cover
from common.keys import CourseKey
from common.messaging import outbox
from import_export.courses.models import Standing
from import_export.courses.operations import CatalogueCourse, catalogue_content_version
from import_export.events import ImportCourse, Requester, Source, UnchangedAt
from import_export.imports.errors import ImportInProgress, SnapshotSuperseded
from import_export.imports.queries import find_import_under_way
from import_export.tasks.litter import forget_snapshots
from import_export.tasks.models import Job, Json, Kind, Phase, State
from import_export.tasks.operations import aggregate, finish_job, make_job
from import_export.tasks.queries import list_jobs_awaiting_catalogue, lock_course
from import_export.tasks.replies import CommandCompleted
from import_export.tasks.tracing import in_context_of
from import_export.tasks.wakeups import Topic, announce_change
from import_export.uploads.operations import Upload
from import_export.uploads.schemas import ImportOptions, ImportRequest

# A command whose time is over and whose outcome was not heard is sent again: content gives the stored answer, or
# refuses it as expired. Either way the job ends by content's word.
ASK_AGAIN = timedelta(minutes=5)
GRACE = timedelta(seconds=30)


async def start_import(
    session: AsyncSession,
    job_id: UUID,
    *,
    caller: Caller,
    standing: Standing,
    upload: Upload,
    asked: ImportRequest,
    earlier: Job | None,
    now: datetime,
) -> Job:
    """A job for an upload that lies in the blob store, or needs not, since *earlier* has read the same bytes.

    Raises `ImportInProgress` (when asked not to wait), `SnapshotSuperseded`.
    """
    await lock_course(session, standing.course_id)
    if asked.busy == "refuse" and (other := await find_import_under_way(session, standing.course_id)):
        raise ImportInProgress(task_id=str(other))
    if earlier is not None and not await session.scalar(select(Job.snapshot).where(Job.id == earlier.id)):
        raise SnapshotSuperseded
    job = make_job(
        Kind.IMPORT,
        job_id,
        caller=caller,
        course_id=standing.course_id,
        spelling=standing.spelling,
        options={name: getattr(asked, name) for name in ImportOptions.model_fields},
        now=now,
    )
    job.filename = upload.filename
    job.archive_digest = upload.digest
    if earlier is not None:
        job.snapshot, job.report, job.snapshot_digest = earlier.snapshot, earlier.report, earlier.snapshot_digest
    source = {"repo": asked.source_repo, "sha": asked.source_sha, "message": asked.message}
    job.source = dict(source) if any(source.values()) else None
    session.add(job)
    await announce_change(session, Topic.IMPORT)
    return job


def send_import(
    session: AsyncSession,
    job: Job,
    *,
    snapshot: str,
    report: Json,
    counts: Json,
    made: tuple[str, str] | None = None,
    now: datetime,
    seconds: int,
) -> None:
    """From here on the import's end is content's reply, and nothing else.

    `made` are the heads (draft, published) at which the course holds this very snapshot, if that is known.
    """
    key = CourseKey.parse(job.course_id)
    asked_by = Requester.model_validate(job.requested_by)
    command = ImportCourse(
        command_id=uuid4(),
        issued_at=now,
        expires_at=now + timedelta(seconds=seconds),
        requested_by=asked_by,
        course_id=job.course_id,
        spelling=job.spelling,
        snapshot=snapshot,
        archive_digest=job.archive_digest or "",
        dry_run=job.option("dry_run"),
        publish=job.option("publish"),
        expected_head=None,
        unchanged_at=UnchangedAt(draft=made[0], published=made[1]) if made else None,
        source=Source.model_validate(job.source) if job.source else None,
        may_create=asked_by.is_staff or grants_cover(tuple(asked_by.creator_grants), key.org, key.course),
    )
    job.snapshot, job.report, job.counts = snapshot, report, counts
    job.phase, job.state, job.stage, job.percent = Phase.ASKED.value, State.UPDATING.value, "Replacing content", 75
    job.lease_owner = job.lease_until = None
    job.command_id = command.command_id
    job.command = command.model_dump(mode="json")
    job.wake_at = command.expires_at + GRACE
    outbox.record(session, command, aggregate=aggregate(job), version=job.next_revision())


async def ask_again(session: AsyncSession, job: Job, *, now: datetime) -> None:
    """The very same command once more."""
    job.state = State.RETRYING.value
    job.wake_at = now + ASK_AGAIN
    job.updated_at = now
    command = ImportCourse.model_validate(job.command)
    with in_context_of(job):
        outbox.record(session, command, aggregate=aggregate(job), version=job.next_revision())


async def read_again(session: AsyncSession, job: Job) -> None:
    """Back to the workers, with the upload: files that were in the store when they were looked for are swept since."""
    if job.snapshot and job.snapshot != job.snapshot_key:
        await forget_snapshots(session, keys=[job.snapshot])
    job.snapshot = job.snapshot_digest = None
    job.phase, job.state, job.stage, job.percent = Phase.QUEUED.value, State.RETRYING.value, "Reading again", 5
    job.wake_at = None
    await announce_change(session, Topic.IMPORT)


async def settle_import(
    session: AsyncSession, job: Job, reply: CommandCompleted, *, now: datetime, patience: timedelta, attempts: int
) -> None:
    """What content has done with the command; the caller holds the job's row."""
    if reply.code == "asset_missing" and job.attempts < attempts:
        job.updated_at = now
        await read_again(session, job)
        return
    # how much the archive holds is the reader's to say, what changed by it is content's
    job.counts = {**reply.counts, **job.counts}
    job.draft_guid, job.published_guid, job.content_version = reply.draft_guid, reply.published_guid, reply.version
    job.updated_at = now
    if reply.outcome == "rejected":
        error = {"code": reply.code or "rejected", "message": reply.message or "Content has refused this import."}
        await finish_job(session, job, State.FAILED, now=now, error=error)
        return
    job.counts = {**job.counts, "outcome": reply.outcome}
    listed = not job.option("dry_run") and not CourseKey.parse(job.course_id).is_library
    if reply.version is None or not listed:
        await finish_job(session, job, State.SUCCEEDED, now=now)
    elif await catalogue_content_version(session, job.course_id) >= reply.version:
        job.catalogue = "announced"
        await finish_job(session, job, State.SUCCEEDED, now=now)
    else:
        job.catalogue = "pending"
        job.phase, job.stage, job.percent = Phase.CATALOGUE.value, "Waiting for the catalogue", 95
        job.wake_at = now + patience
        # the course is free for the next import
        await announce_change(session, Topic.IMPORT, Topic.TIMERS)


async def settle_catalogue(session: AsyncSession, news: Sequence[CatalogueCourse], *, now: datetime) -> None:
    """End the imports whose version the catalogue now shows; those that ended without it are set right."""
    shown = {course.course_id: course.content_version or 0 for course in news}
    if not shown:
        return
    for job in await list_jobs_awaiting_catalogue(session, sorted(shown)):
        if job.content_version is not None and shown[job.course_id] >= job.content_version:
            job.catalogue = "announced"
            job.updated_at = now
            if job.phase == Phase.CATALOGUE:
                await finish_job(session, job, State.SUCCEEDED, now=now)
