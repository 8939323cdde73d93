"""Ticking items."""

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from common.database import raw
from common.keys import CourseKey
from content.courses.errors import CourseNotFound

_LOCK = "select true from course where course_key = $1 and deleted_at is null for share"
_TICK = """
insert into checklist_item (course_key, checklist, item, checked_by) select $1, $2, i, $4 from unnest($3::text[]) i
order by i on conflict do nothing"""
_UNTICK = "delete from checklist_item where course_key = $1 and checklist = $2 and item = any($3::text[])"


async def tick_items(
    session: AsyncSession, course: CourseKey, checklist: str, ticks: Mapping[str, bool], *, user_id: int | None
) -> None:
    """Keep of each item whether it is done. Raises `CourseNotFound`."""
    connection = await raw(session)
    if not await connection.fetchval(_LOCK, course.canonical):
        raise CourseNotFound
    done = [item for item, is_done in ticks.items() if is_done]
    await connection.execute(_TICK, course.canonical, checklist, done, user_id)
    await connection.execute(_UNTICK, course.canonical, checklist, [item for item in ticks if item not in done])
