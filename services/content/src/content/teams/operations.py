"""Changing a course's team. Each change is announced with the whole team."""

from typing import Literal

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from common.keys import CourseKey
from common.messaging import outbox
from content.events import CourseTeamChanged, TeamMember
from content.teams.errors import LastInstructor

Role = Literal["instructor", "staff"]

# The course row is the lock: versions of members are given in the order in which changes commit.
_LOCK = "select team_version from course where course_key = $1 and deleted_at is null for update"
_FIND = "select role, removed from course_team where course_key = $1 and user_id = $2"
_INSTRUCTORS = "select count(*) from course_team where course_key = $1 and role = 'instructor' and not removed"
_PUT = """
insert into course_team as t (course_key, user_id, username, role, removed, version)
values ($1, $2, $3, $4, $5, $6)
on conflict (course_key, user_id) do update
  set username = excluded.username, role = excluded.role, removed = excluded.removed, version = excluded.version,
      changed_at = now()"""
_COUNT = "update course set team_version = $2 where course_key = $1"
# course_team_user. Deleted courses too: a name is a name, and a restored course would bring it back.
_MEMBERSHIPS = "select course_key from course_team where user_id = $1 and username <> $2 order by course_key"
_NEXT = "update course set team_version = team_version + 1 where course_key = $1 returning team_version"
_RETIRE = """
update course_team set username = $3, removed = true, version = $4, changed_at = now()
where course_key = $1 and user_id = $2"""
_ANYBODY = "select exists (select from course_team where course_key = $1 and not removed)"
_CLEAR = """
update course_team set removed = true, version = $2, changed_at = now() where course_key = $1 and not removed"""
_TEAM = """
select user_id, username, role, version, removed from course_team where course_key = $1 order by user_id"""


async def set_role(
    session: AsyncSession,
    connection: asyncpg.Connection,
    course: CourseKey,
    *,
    user_id: int,
    username: str,
    role: Role | None,
    keep_instructor: bool = False,
) -> bool | None:
    """Give a person a role, or (None) take it away; False when nothing changed, None when there is no such course.

    Raises `LastInstructor` where *keep_instructor* and nobody would be left to manage the team.
    """
    version = await connection.fetchval(_LOCK, course.canonical)
    if version is None:
        return None
    now = await connection.fetchrow(_FIND, course.canonical, user_id)
    held = now["role"] if now and not now["removed"] else None
    if held == role:
        return False
    last = held == "instructor" and await connection.fetchval(_INSTRUCTORS, course.canonical) == 1
    if keep_instructor and last:
        raise LastInstructor
    kept = role or (now["role"] if now else "staff")
    await connection.execute(_PUT, course.canonical, user_id, username, kept, role is None, version + 1)
    await connection.execute(_COUNT, course.canonical, version + 1)
    await announce_team(session, connection, course, version=version + 1)
    return True


async def retire_member(session: AsyncSession, connection: asyncpg.Connection, *, user_id: int, username: str) -> None:
    """End every role of a person who is to be forgotten, and announce those teams with *username* in their place."""
    for row in await connection.fetch(_MEMBERSHIPS, user_id, username):
        course = CourseKey.parse(row["course_key"])
        version = await connection.fetchval(_NEXT, course.canonical)
        await connection.execute(_RETIRE, course.canonical, user_id, username, version)
        await announce_team(session, connection, course, version=version)


async def clear_team(session: AsyncSession, connection: asyncpg.Connection, course: CourseKey) -> None:
    """End every role in a course."""
    if not await connection.fetchval(_ANYBODY, course.canonical):
        return
    version = await connection.fetchval(_NEXT, course.canonical)
    await connection.execute(_CLEAR, course.canonical, version)
    await announce_team(session, connection, course, version=version)


async def announce_team(
    session: AsyncSession, connection: asyncpg.Connection, course: CourseKey, *, version: int
) -> None:
    """Record the whole team, those who left included: a reader needs no earlier message."""
    members = [TeamMember(**dict(row)) for row in await connection.fetch(_TEAM, course.canonical)]
    event = CourseTeamChanged(course_id=course.canonical, version=version, members=members)
    outbox.record(session, event, aggregate=f"{course.canonical} team", version=version)
