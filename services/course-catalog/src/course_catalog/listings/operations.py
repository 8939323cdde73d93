"""Changing the catalogue's own settings: stored apart, and at once in the rows that lists are decided by."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from course_catalog.courses.operations import renew_courses, take_turn
from course_catalog.listings.models import AUDIENCES, CourseOwn
from course_catalog.listings.queries import find_own
from course_catalog.listings.schemas import ListingRule, MarketingTexts

_ENSURE = text(
    """insert into course_own (course_key, version, changed_by) values (:key, 0, :by)
       on conflict (course_key) do nothing"""
)


async def read_to_change(session: AsyncSession, key: str) -> CourseOwn | None:
    """The settings as they are, with the writer's turn taken: nobody changes them in between."""
    await take_turn(session)
    return await find_own(session, key)


async def set_rule(session: AsyncSession, key: str, rule: ListingRule, *, by: str, now: datetime) -> CourseOwn:
    """Give the course this listing rule."""
    own = await _take(session, key, by=by, now=now)
    own.audience = AUDIENCES.index(rule.audience)
    own.domains, own.invitees = sorted(set(rule.domains)), sorted(set(rule.invitees))
    own.listed_from, own.listed_until = rule.listed_from, rule.listed_until
    own.only_during_enrollment = rule.only_during_enrollment
    await session.flush()
    await renew_courses(session, [key], always=True)
    return own


async def set_marketing(session: AsyncSession, key: str, texts: MarketingTexts, *, by: str, now: datetime) -> CourseOwn:
    """Give the course these texts and pictures."""
    own = await _take(session, key, by=by, now=now)
    own.marketing = texts.model_dump(exclude_none=True)
    await session.flush()
    await renew_courses(session, [key])
    return own


async def _take(session: AsyncSession, key: str, *, by: str, now: datetime) -> CourseOwn:
    await take_turn(session)
    await session.execute(_ENSURE, {"key": key, "by": by})
    own = await find_own(session, key)
    if own is None:
        raise AssertionError("the row was made in this transaction")
    own.version, own.changed_by, own.changed_at = own.version + 1, by, now
    return own
