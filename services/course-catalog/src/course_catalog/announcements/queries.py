"""Courses and programs as their events say them, tombstones too, page by page in the order of their keys."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from common.messaging import Handler
from common.messaging.announcing import Item, Source, announcing
from course_catalog.courses.models import Course
from course_catalog.courses.queries import read_announced
from course_catalog.events import AnnounceAgain, CatalogueAnnounced, CourseChanged, ProgramsChanged
from course_catalog.modes.models import Mode
from course_catalog.programs.models import Program, Record, membership
from course_catalog.programs.queries import read_family
from course_catalog.programs.rendering import announced

COMMAND = "course_catalog.announce.v1"
_FIRST = "00000000-0000-0000-0000-000000000000"


def announce(default: Mode) -> Handler:
    """The handler of `course_catalog.announce.v1`; *default* is the mode of courses that have none."""

    async def read_courses(session: AsyncSession, after: str, limit: int) -> Sequence[tuple[str, Item]]:
        query = select(Course.course_key).where(Course.course_key > after).order_by(Course.course_key).limit(limit)
        keys = (await session.scalars(query)).all()
        courses = await read_announced(session, keys, default=default, now=datetime.now(UTC))
        return [(each.course_id, CourseChanged(courses=[each]).model_dump(mode="json")) for each in courses]

    return announcing(
        (Source(CourseChanged.type, read_courses), Source(ProgramsChanged.type, read_programs)),
        event=CatalogueAnnounced,
        again=AnnounceAgain,
    )


async def read_programs(session: AsyncSession, after: str, limit: int) -> Sequence[tuple[str, Item]]:
    query = select(Program).where(Program.uuid > UUID(after or _FIRST)).order_by(Program.uuid).limit(limit)
    rows = (await session.scalars(query)).all()
    known = await read_family(session, [row.uuid for row in rows])
    found = []
    for row in rows:
        record = Record.of(row)
        said = announced(record, known, sorted(membership(record, known)))
        found.append((str(row.uuid), ProgramsChanged(programs=[said]).model_dump(mode="json")))
    return found
