"""Reading the catalogue's own settings."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from course_catalog.listings.models import CourseOwn, Marketing, Own


async def find_own(session: AsyncSession, course_key: str) -> CourseOwn | None:
    return await session.get(CourseOwn, course_key, populate_existing=True)


async def list_own(session: AsyncSession, course_keys: Sequence[str]) -> dict[str, Own]:
    """The settings of those of these courses that have any."""
    rows = await session.execute(
        select(
            CourseOwn.course_key,
            CourseOwn.audience,
            CourseOwn.listed_from,
            CourseOwn.listed_until,
            CourseOwn.only_during_enrollment,
            CourseOwn.marketing,
            CourseOwn.version,
        ).where(CourseOwn.course_key.in_(course_keys))
    )
    return {
        row.course_key: Own(
            audience=row.audience,
            listed_from=row.listed_from,
            listed_until=row.listed_until,
            only_during_enrollment=row.only_during_enrollment,
            marketing=Marketing.model_validate(row.marketing),
            version=row.version,
        )
        for row in rows
    }
