"""Find what was found."""

from sqlalchemy.ext.asyncio import AsyncSession

from import_export.inspections.models import Inspection


async def find_inspection(session: AsyncSession, course_id: str) -> Inspection | None:
    return await session.get(Inspection, course_id)
