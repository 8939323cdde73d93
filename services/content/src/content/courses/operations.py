"""Creating a course."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncSession

from common.keys import CourseKey
from common.messaging import outbox
from content.courses.announcing import announce_course
from content.courses.errors import CourseExists, NameTaken
from content.courses.overview import DEFAULT_OVERVIEW
from content.events import Enroll, EnrollItem
from content.teams.operations import set_role
from content.versions.models import DRAFT, PUBLISHED, Definition, Row, define, difference, make_row
from content.versions.operations import (
    Author,
    Head,
    create_branches,
    live_after,
    store_definitions,
    write_version,
)

ROOT = "course@course"

_INSERT = """
insert into course (course_key, spelling, org, number, run, dotted, created_by, creator, source)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb)
on conflict do nothing returning course_key"""
_TAKEN = "select course_key, deleted_at from course where dotted = $1"


@dataclass(frozen=True, slots=True)
class Creator:
    """Whoever creates a course; a caller without an account creates one without a team."""

    user_id: int | None
    username: str | None


async def claim_course(
    connection: asyncpg.Connection,
    course: CourseKey,
    *,
    spelling: str,
    creator: Creator,
    source: str | None = None,
) -> bool:
    """Insert the course's row unless its name is taken; two claims at once wait for each other on the unique index."""
    claimed = await connection.fetchval(
        _INSERT,
        course.canonical,
        spelling,
        course.org,
        course.course,
        course.run,
        course.dotted.casefold(),
        creator.user_id,
        creator.username,
        source,
    )
    return claimed is not None


async def refuse_taken(connection: asyncpg.Connection, course: CourseKey) -> None:
    """Raises `CourseExists` or `NameTaken`, whichever the unclaimable name means."""
    row = await connection.fetchrow(_TAKEN, course.dotted.casefold())
    if row is None or row["course_key"].casefold() == course.canonical.casefold():
        raise CourseExists
    raise NameTaken(f"{NameTaken().message} It is {row['course_key']}.")


async def create_course(
    session: AsyncSession,
    connection: asyncpg.Connection,
    course: CourseKey,
    *,
    spelling: str,
    creator: Creator,
    settings: Mapping[str, JsonValue],
    now: datetime,
) -> None:
    """A course of a root and a default overview, published at once; its creator becomes instructor and is enrolled.

    Raises `CourseExists`, `NameTaken`.
    """
    if not await claim_course(connection, course, spelling=spelling, creator=creator):
        await refuse_taken(connection, course)
    overview = define("about", {"data": DEFAULT_OVERVIEW})
    rows = {
        ROOT: make_row(ROOT, "course", settings=settings),
        "about@overview": make_row("about@overview", "about", definition=overview),
    }
    author = Author(creator.user_id, creator.username, "create")
    await write_first_versions(connection, course, rows, rows, [overview] if overview else [], author)
    await welcome_creator(session, connection, course, creator=creator, spelling=spelling, now=now)
    await announce_course(session, connection, course, created=True)


async def write_first_versions(
    connection: asyncpg.Connection,
    course: CourseKey,
    draft: Mapping[str, Row],
    published: Mapping[str, Row],
    definitions: list[Definition],
    author: Author,
) -> dict[str, Head]:
    """Both branches of a new course, each with its first version."""
    heads = await create_branches(connection, course.canonical, (DRAFT, PUBLISHED))
    await store_definitions(connection, definitions)
    change = difference(draft, {})
    heads[DRAFT] = await write_version(connection, heads[DRAFT], change, author)
    sources = live_after({}, change, heads[DRAFT])
    heads[PUBLISHED] = await write_version(
        connection, heads[PUBLISHED], difference(published, {}), author, sources=sources
    )
    return heads


async def welcome_creator(
    session: AsyncSession,
    connection: asyncpg.Connection,
    course: CourseKey,
    *,
    creator: Creator,
    spelling: str,
    now: datetime,
) -> None:
    """The creator becomes instructor here, and learner by a command to the service that owns enrollments."""
    if creator.user_id is None or creator.username is None:
        return
    await set_role(session, connection, course, user_id=creator.user_id, username=creator.username, role="instructor")
    command_id = str(uuid.uuid4())
    command = Enroll(
        command_id=command_id,
        requested_by=creator.username,
        reason="course_creator",
        issued_at=now,
        options={"ignore_window": True, "ignore_capacity": True, "ignore_invitation": True},
        items=[EnrollItem(username=creator.username, course_id=course.canonical)],
    )
    outbox.record(session, command, aggregate=f"{course.canonical} creator", version=1, correlation_id=command_id)
