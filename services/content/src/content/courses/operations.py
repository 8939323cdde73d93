"""Creating a course or a library, also where one was deleted before."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncSession

from common.database import raw
from common.keys import CourseKey
from common.messaging import outbox
from content.courses.announcing import announce_course
from content.courses.errors import CourseExists, NameTaken
from content.courses.overview import DEFAULT_OVERVIEW, DEFAULT_TABS
from content.events import Enroll, EnrollItem
from content.teams.operations import clear_team, set_role
from content.versions.models import DRAFT, LIBRARY, PUBLISHED, Definition, Row, define, difference, make_row
from content.versions.operations import (
    Author,
    Head,
    create_branches,
    live_after,
    live_rows,
    lock_branches,
    store_definitions,
    write_version,
)

ROOT = "course@course"
LIBRARY_ROOT = "library@library"

_INSERT = """
insert into course (course_key, spelling, org, number, run, dotted, created_by, creator, source)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9::text::jsonb)
on conflict do nothing returning course_key"""
# The counters go on where they stopped: nothing that was announced of the deleted course can be news again.
_REVIVE = """
update course c set spelling = $2, created_by = $3, creator = $4, created_at = now(), source = $5::text::jsonb,
  deleted_at = null
where course_key = $1 and deleted_at is not null
  and not exists (select from course o where o.dotted = c.dotted and o.deleted_at is null)
returning course_key"""
# Who could read the deleted course, and what its team had done, is nothing to the new one.
_FORGET = (
    "delete from access_policy where course_key = $1",
    "delete from unlock_key where course_key = $1",
    "delete from checklist_item where course_key = $1",
)
_TAKEN = "select course_key from course where dotted = $1 and deleted_at is null"


@dataclass(frozen=True, slots=True)
class Creator:
    """Whoever creates a course; a caller without an account creates one without a team."""

    user_id: int | None
    username: str | None


def branch_names(course: CourseKey) -> tuple[str, ...]:
    """A library has one branch, a course two; neither is ever without them."""
    return (LIBRARY,) if course.is_library else (DRAFT, PUBLISHED)


async def claim_course(
    connection: asyncpg.Connection,
    course: CourseKey,
    *,
    spelling: str,
    creator: Creator,
    source: str | None = None,
) -> bool:
    """Make the course's row, or take over a deleted one's, unless the name is taken; two claims at once wait for each
    other on the unique index."""
    who = (creator.user_id, creator.username)
    parts = (course.org, course.course, course.run, course.dotted.casefold())
    if await connection.fetchval(_INSERT, course.canonical, spelling, *parts, *who, source) is not None:
        return True
    try:
        async with connection.transaction():
            revived = await connection.fetchval(_REVIVE, course.canonical, spelling, *who, source) is not None
    except asyncpg.UniqueViolationError:
        return False  # a course that reads the same was made in this very moment
    for statement in _FORGET if revived else ():
        await connection.execute(statement, course.canonical)
    return revived


async def refuse_taken(connection: asyncpg.Connection, course: CourseKey) -> None:
    """Raises `CourseExists` or `NameTaken`, whichever the unclaimable name means."""
    other = await connection.fetchval(_TAKEN, course.dotted.casefold())
    if other is None or other.casefold() == course.canonical.casefold():
        raise CourseExists
    raise NameTaken(f"{NameTaken().message} It is {other}.")


async def create_course(
    session: AsyncSession,
    course: CourseKey,
    *,
    spelling: str,
    creator: Creator,
    settings: Mapping[str, JsonValue],
    now: datetime,
) -> None:
    """A course of a root with default tabs and overview, published at once; its creator becomes instructor and is
    enrolled.

    Raises `CourseExists`, `NameTaken`.
    """
    connection = await raw(session)
    if not await claim_course(connection, course, spelling=spelling, creator=creator):
        await refuse_taken(connection, course)
    overview = None if course.is_library else define("about", {"data": DEFAULT_OVERVIEW})
    root = LIBRARY_ROOT if course.is_library else ROOT
    said = settings if course.is_library else {"tabs": DEFAULT_TABS, **settings}
    rows = {root: make_row(root, root.partition("@")[0], settings=said)}
    if overview is not None:
        rows["about@overview"] = make_row("about@overview", "about", definition=overview)
    author = Author(creator.user_id, creator.username, "create")
    await write_first_versions(connection, course, rows, [overview] if overview else [], author)
    await welcome_creator(session, connection, course, creator=creator, spelling=spelling, now=now)
    await announce_course(session, connection, course, created=True)


async def open_branches(connection: asyncpg.Connection, course: CourseKey) -> dict[str, Head]:
    """The branches of a course just claimed: new ones, or those of the deleted course that it takes the place of."""
    names = branch_names(course)
    return await lock_branches(connection, course.canonical, names) or await create_branches(
        connection, course.canonical, names
    )


async def write_first_versions(
    connection: asyncpg.Connection,
    course: CourseKey,
    rows: Mapping[str, Row],
    definitions: Iterable[Definition],
    author: Author,
) -> None:
    """The same rows on every branch. What a deleted course held there is history now."""
    await store_definitions(connection, definitions)
    sources = None
    for head in (await open_branches(connection, course)).values():
        live = await live_rows(connection, head)
        change = difference(rows, live)
        written = await write_version(connection, head, change, author, sources=sources)
        sources = live_after(live, change, written)


async def welcome_creator(
    session: AsyncSession,
    connection: asyncpg.Connection,
    course: CourseKey,
    *,
    creator: Creator,
    spelling: str,
    now: datetime,
) -> None:
    """The creator becomes instructor here, and learner by a command to the service that owns enrollments.

    Whoever was on the team of a deleted course of this name is not on this one's.
    """
    await clear_team(session, connection, course)
    if creator.user_id is None or creator.username is None:
        return
    await set_role(session, connection, course, user_id=creator.user_id, username=creator.username, role="instructor")
    if course.is_library:
        return
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
