"""Reads: one course, and what is announced about courses. Lists are in `listing`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import cast

import asyncpg
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from common.keys import CourseKey
from common.resources import Resources
from course_catalog.accounts.models import Viewer
from course_catalog.courses import statements
from course_catalog.courses.errors import CourseNotFound
from course_catalog.courses.facts import CourseSettings
from course_catalog.courses.models import Course, CourseDocument
from course_catalog.events import AnnouncedCourse, AnnouncedMode
from course_catalog.listings.queries import list_own
from course_catalog.modes.models import Mode, default_slug, offered
from course_catalog.modes.queries import list_modes


async def get_detail(resources: Resources, key: CourseKey, viewer: Viewer, *, base: str) -> str:
    """The course as JSON text, absolute URLs below *base*. Raises `CourseNotFound` also where it may not be seen.

    A course this service has not heard of yet, or a role that opens it, may be on its way.
    """

    async def read() -> str | None:
        return await find_detail(resources.pool, key, viewer, base=base)

    if (found := await resources.facts.eventually(read)) is None:
        raise CourseNotFound
    return found


async def find_detail(pool: asyncpg.Pool, key: CourseKey, viewer: Viewer, *, base: str) -> str | None:
    if viewer.sees_all:
        found = await pool.fetchval(statements.DETAIL_FOR_STAFF, key.canonical, base)
    elif viewer.user_id is None:
        found = await pool.fetchval(statements.DETAIL, key.canonical, base)
    else:
        ways = (list(viewer.orgs), list(viewer.domains), list(viewer.names))
        found = await pool.fetchval(statements.DETAIL_FOR_USER, key.canonical, base, viewer.user_id, *ways)
    return cast("str | None", found)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a page about a course tells besides the item."""

    modes: Sequence[Mode]
    marketing_url: str | None
    now: datetime


async def get_offer(resources: Resources, key: CourseKey, *, default: Mode, now: datetime) -> Offer:
    """The modes the course offers now, and where else it is advertised."""
    async with resources.sessions() as session:
        modes = (await list_modes(session, [key.canonical]))[key.canonical]
        own = (await list_own(session, [key.canonical])).get(key.canonical)
    return Offer(offered(modes, default, now=now), own.marketing.marketing_url if own else None, now)


async def read_announced(
    session: AsyncSession, keys: Sequence[str], *, default: Mode, now: datetime
) -> list[AnnouncedCourse]:
    """The announcement of each of these courses, in the order of their keys."""
    # columns, not entities: the rows were written by statements in this very transaction
    columns = select(
        Course.course_key,
        Course.version,
        Course.content_version,
        Course.deleted,
        CourseDocument.spelling,
        CourseDocument.content_guid,
        CourseDocument.settings,
    )
    joined = columns.join_from(Course, CourseDocument, Course.course_key == CourseDocument.course_key)
    rows = (await session.execute(joined.where(Course.course_key.in_(keys)).order_by(Course.course_key))).all()
    modes = await list_modes(session, keys)
    announced = []
    for row in rows:
        key, course = CourseKey.parse(row.course_key), CourseSettings.model_validate(row.settings)
        announced.append(
            AnnouncedCourse(
                course_id=row.course_key,
                spelling=row.spelling,
                version=row.version,
                deleted=row.deleted,
                content_version=row.content_version,
                content_guid=row.content_guid,
                display_name=course.name(key),
                org=key.org,
                number=key.course,
                run=key.run,
                start=course.start_at,
                end=course.end,
                enrollment_start=course.enrollment_start,
                enrollment_end=course.enrollment_end,
                invitation_only=course.invitation_only,
                max_enrollments=course.max_student_enrollments_allowed,
                visible_to_staff_only=course.visible_to_staff_only,
                catalog_visibility=course.visibility,
                pacing="self" if course.self_paced else "instructor",
                default_mode=default_slug(modes[row.course_key], default, now=now),
                modes=[AnnouncedMode(**asdict(mode)) for mode in modes[row.course_key] or [default]],
            )
        )
    return announced
