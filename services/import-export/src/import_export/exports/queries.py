"""Find built archives."""

from collections.abc import Sequence
from typing import Final

import asyncpg
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from import_export.exports.models import Archive, Choice

# by name: a column that a later release has added is nothing to this one
_READ: Final = f"select {', '.join(Archive.__table__.columns.keys())} from archive where key = $1"


async def find_archive(session: AsyncSession, key: str) -> Archive | None:
    return await session.get(Archive, key)


async def read_archive(pool: asyncpg.Pool, key: str) -> Archive | None:
    """The same and of no session, in one round trip; index archive_pkey."""
    row = await pool.fetchrow(_READ, key)
    return Archive(**row) if row else None


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
