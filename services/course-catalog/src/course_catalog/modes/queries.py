"""Questions about course modes."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from course_catalog.modes.models import CourseMode, Mode


async def list_modes(session: AsyncSession, course_keys: Sequence[str]) -> dict[str, list[Mode]]:
    """All modes of each course, expired ones included, in the order they were made."""
    modes: dict[str, list[Mode]] = {key: [] for key in course_keys}
    rows = await session.scalars(
        select(CourseMode).where(CourseMode.course_key.in_(course_keys)).order_by(CourseMode.id)
    )
    for row in rows:
        modes[row.course_key].append(Mode.of(row))
    return modes
