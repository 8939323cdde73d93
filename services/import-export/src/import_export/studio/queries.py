"""The newest task of a name, of those the caller began: what Studio's status handlers speak of."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from import_export.tasks.models import Job, Kind, State


async def find_newest_job(
    session: AsyncSession,
    kind: Kind,
    *,
    course_id: str,
    username: str,
    filename: str | None = None,
    state: State | None = None,
) -> Job | None:
    """Index job_course."""
    query = select(Job).where(
        Job.course_id == course_id, Job.kind == kind.value, Job.requested_by["username"].astext == username
    )
    if filename is not None:
        query = query.where(Job.filename == filename)
    if state is not None:
        query = query.where(Job.state == state.value)
    return await session.scalar(query.order_by(Job.created_at.desc(), Job.id.desc()).limit(1))
