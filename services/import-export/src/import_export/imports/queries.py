"""Has this archive been read before, and is the course free?"""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from import_export.tasks.models import Job, Kind, State


async def find_same_archive(session: AsyncSession, *, digest: str | None, course_id: str, links: object) -> Job | None:
    """The newest successful import of the same bytes into the same course, read under the same rules.

    Only real imports count: what they staged belongs to a version and is kept, what a dry run staged may be swept.
    """
    query = (
        select(Job)
        .where(
            Job.archive_digest == digest,
            Job.course_id == course_id,
            Job.kind == Kind.IMPORT.value,
            Job.state == State.SUCCEEDED.value,
            Job.snapshot.is_not(None),
            Job.options["links"].astext == links,
            Job.options["dry_run"].astext == "false",
            Job.options["round_trip"].astext.is_distinct_from("true"),
        )
        .order_by(Job.created_at.desc())
        .limit(1)
    )
    return await session.scalar(query)


async def find_import_under_way(session: AsyncSession, course_id: str) -> UUID | None:
    """The oldest import of the course that has not ended; index job_course."""
    query = select(Job.id).where(
        Job.course_id == course_id,
        Job.kind == Kind.IMPORT.value,
        Job.phase.in_(("fetching", "queued", "working", "asked")),
    )
    return await session.scalar(query.order_by(Job.created_at).limit(1))


async def find_what_it_made(session: AsyncSession, job: Job) -> tuple[str, str] | None:
    """The versions (draft, published) an earlier import of an equal snapshot, published alike, has led to.

    While they are the course's heads, this import changes nothing: content need not read the snapshot to say so.
    Index job_course.
    """
    query = (
        select(Job.draft_guid, Job.published_guid)
        .where(
            Job.course_id == job.course_id,
            Job.kind == Kind.IMPORT.value,
            Job.state == State.SUCCEEDED.value,
            Job.snapshot_digest == job.snapshot_digest,
            Job.options["dry_run"].astext == "false",
            Job.options["round_trip"].astext.is_distinct_from("true"),
            Job.options["publish"].astext == str(job.option("publish")).lower(),
            Job.draft_guid.is_not(None),
            Job.published_guid.is_not(None),
        )
        .order_by(Job.created_at.desc())
        .limit(1)
    )
    found = (await session.execute(query)).first()
    return (found.draft_guid, found.published_guid) if found else None
