"""Find built archives."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from import_export.exports.models import Archive, Choice


async def find_archive(session: AsyncSession, key: str) -> Archive | None:
    return await session.get(Archive, key)


async def find_newest_archive(session: AsyncSession, course_id: str, choice: Choice) -> Archive | None:
    """The one content is asked about first: still the current version?"""
    query = select(Archive).where(Archive.course_id == course_id, Archive.variant == choice.variant)
    return await session.scalar(query.order_by(Archive.created_at.desc()).limit(1))


async def list_least_used(session: AsyncSession, *, keep: str, budget: int) -> Sequence[Archive]:
    """Archives beyond the budget of bytes, the longest unused first; never the one named *keep*."""
    running = func.sum(Archive.size).over(order_by=(Archive.used_at.desc(), Archive.key)).label("running")
    ranked = select(Archive.key, running).subquery()
    query = select(Archive).join(ranked, ranked.c.key == Archive.key)
    return (await session.scalars(query.where(ranked.c.running > budget, Archive.key != keep))).all()
