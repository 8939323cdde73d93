"""Hear about course teams."""

from collections.abc import Sequence

import orjson
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from course_catalog.courses.facts import CourseId
from course_catalog.courses.operations import next_revision, take_turn


class Member(BaseModel):
    """One member of a course's team."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    user_id: int
    role: str
    version: int
    removed: bool = False


class TeamFacts(BaseModel):
    """`content.course_team.changed.v1`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    course_id: CourseId
    members: list[Member]


_UPSERT = """insert into {table} as course_role (user_id, course_key, role, version, removed)
       select * from jsonb_to_recordset(cast(cast(:rows as text) as jsonb))
         as t(user_id bigint, course_key text, role text, version bigint, removed boolean)
       on conflict (user_id, course_key) do update set role = excluded.role, version = excluded.version,
         removed = excluded.removed
       where excluded.version > course_role.version
       returning course_key"""
_STATEMENTS = {table: text(_UPSERT.format(table=table)) for table in ("course_role", "course_role_shadow")}


async def store_teams(session: AsyncSession, teams: Sequence[TeamFacts]) -> None:
    """Keep the newest version of each membership; lists that depend on roles are told by one new revision."""
    await take_turn(session)
    if await store_members(session, teams):
        await next_revision(session, [])


async def store_members(session: AsyncSession, teams: Sequence[TeamFacts], *, table: str = "course_role") -> bool:
    """Keep the newest version of each membership; True when any was news."""
    newest: dict[tuple[str, int], Member] = {}
    for team in teams:
        for member in team.members:
            place = (team.course_id, member.user_id)
            known = newest.get(place)
            if known is None or member.version > known.version:
                newest[place] = member
    if not newest:
        return False
    rows = [{"course_key": course, **member.model_dump()} for (course, _), member in sorted(newest.items())]
    return bool((await session.execute(_STATEMENTS[table], {"rows": orjson.dumps(rows).decode()})).all())
