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


_UPSERT = text(
    """insert into course_role (user_id, course_key, role, version, removed)
       select * from jsonb_to_recordset(cast(cast(:rows as text) as jsonb))
         as t(user_id bigint, course_key text, role text, version bigint, removed boolean)
       on conflict (user_id, course_key) do update set role = excluded.role, version = excluded.version,
         removed = excluded.removed
       where excluded.version > course_role.version
       returning course_key"""
)


async def store_teams(session: AsyncSession, teams: Sequence[TeamFacts]) -> None:
    """Keep the newest version of each membership; lists that depend on roles are told by one new revision."""
    newest: dict[tuple[str, int], Member] = {}
    for team in teams:
        for member in team.members:
            place = (team.course_id, member.user_id)
            known = newest.get(place)
            if known is None or member.version > known.version:
                newest[place] = member
    if not newest:
        return
    await take_turn(session)
    rows = [{"course_key": course, **member.model_dump()} for (course, _), member in newest.items()]
    if (await session.execute(_UPSERT, {"rows": orjson.dumps(rows).decode()})).all():
        await next_revision(session, [])
