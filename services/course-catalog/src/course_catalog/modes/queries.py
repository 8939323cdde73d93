"""Questions about course modes."""

from collections.abc import Sequence

from sqlalchemy import select, text
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


async def find_mode(session: AsyncSession, course_key: str, slug: str) -> CourseMode | None:
    """A mode by its slug; of several that differ in currency, the first made."""
    query = select(CourseMode).where(CourseMode.course_key == course_key, CourseMode.slug == slug)
    return await session.scalar(query.order_by(CourseMode.id).limit(1))


async def list_rows(session: AsyncSession, course_key: str) -> Sequence[CourseMode]:
    """All modes of a course, expired ones included, in the order they were made."""
    query = select(CourseMode).where(CourseMode.course_key == course_key).order_by(CourseMode.id)
    return (await session.scalars(query)).all()


async def is_taken(session: AsyncSession, course_key: str, slug: str, currency: str) -> bool:
    query = select(CourseMode.id).where(
        CourseMode.course_key == course_key, CourseMode.slug == slug, CourseMode.currency == currency
    )
    return await session.scalar(query) is not None


async def find_spelling(session: AsyncSession, course_key: str) -> str | None:
    """How a course that exists spells its id."""
    found = await session.scalar(
        text(
            "select d.spelling from course c join course_document d using (course_key) "
            "where c.course_key = :key and not c.deleted"
        ),
        {"key": course_key},
    )
    return None if found is None else str(found)
