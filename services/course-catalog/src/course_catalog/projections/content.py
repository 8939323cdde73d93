"""The shadow of content's state: courses and their teams."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from course_catalog.courses.facts import CourseDeleted, CourseFacts
from course_catalog.courses.operations import (
    bury_others,
    compare_courses,
    next_revision,
    replace_courses,
    take_turn,
)
from course_catalog.modes.models import Mode
from course_catalog.teams.operations import TeamFacts, store_members

OWNER = "content"
PUBLISHED, DELETED, TEAM = "content.course.published.v1", "content.course.deleted.v1", "content.course_team.changed.v1"
_PAGE = 500
_CLEAR = (text("delete from course_shadow"), text("delete from course_role_shadow"))
_FILL = text(
    """insert into course_shadow (course_key, version, fact)
       select distinct on (course_key) course_key, version, fact
       from jsonb_to_recordset(cast(cast(:rows as text) as jsonb)) as t(course_key text, version bigint, fact jsonb)
       order by course_key, version desc
       on conflict (course_key) do update set version = excluded.version, fact = excluded.fact,
         row_version = null, own_version = null
       where excluded.version > course_shadow.version"""
)
_NOTE_SAME = text(
    """update course_shadow s set row_version = t.row_version, own_version = t.own_version
       from jsonb_to_recordset(cast(cast(:rows as text) as jsonb))
         as t(course_key text, content_version bigint, row_version bigint, own_version bigint)
       where s.course_key = t.course_key and s.version = t.content_version"""
)
# all but those whose row was compared, is the same, and has not been written since
_UNSURE = text(
    """select s.course_key, s.fact
       from course_shadow s left join course c using (course_key) left join course_own o using (course_key)
       where s.course_key > :after
         and (s.row_version, s.own_version) is distinct from (c.version, coalesce(o.version, 0))
       order by s.course_key limit :limit"""
)
_SWAP_ROLES = (
    text(
        """delete from course_role r where not exists (
             select from course_role_shadow s where s.user_id = r.user_id and s.course_key = r.course_key)"""
    ),
    text(
        """insert into course_role select * from course_role_shadow
           on conflict (user_id, course_key) do update set role = excluded.role, version = excluded.version,
             removed = excluded.removed
           where (course_role.role, course_role.version, course_role.removed)
             is distinct from (excluded.role, excluded.version, excluded.removed)"""
    ),
)

Fact = CourseFacts | CourseDeleted


async def fill_courses(session: AsyncSession, facts: Sequence[Fact]) -> None:
    """Keep the newest fact of each course."""
    rows = [
        {
            "course_key": fact.course_id,
            "version": fact.version,
            "fact": fact.model_dump(mode="json") | {"deleted": isinstance(fact, CourseDeleted)},
        }
        for fact in facts
        if not fact.key.is_library
    ]
    if rows:
        await session.execute(_FILL, {"rows": orjson.dumps(rows).decode()})


async def _fill_compared(session: AsyncSession, facts: Sequence[Fact]) -> None:
    """The same, and note which courses are so already."""
    courses = [fact for fact in facts if not fact.key.is_library]
    await fill_courses(session, courses)
    if same := (await compare_courses(session, courses)).same():
        await session.execute(_NOTE_SAME, {"rows": orjson.dumps(same).decode()})


async def fill_teams(session: AsyncSession, teams: Sequence[TeamFacts]) -> None:
    await store_members(session, teams, table="course_role_shadow")


@dataclass(frozen=True, slots=True)
class ContentShadow:
    """`common.messaging.rebuilding.operations.Shadow` for content."""

    default_mode: Mode

    async def clear(self, session: AsyncSession) -> None:
        for statement in _CLEAR:
            await session.execute(statement)

    async def fill(self, session: AsyncSession, of: str, items: Sequence[Mapping[str, object]]) -> None:
        if of == TEAM:
            await fill_teams(session, [TeamFacts.model_validate(item) for item in items])
        elif of == DELETED:
            await _fill_compared(session, [CourseDeleted.model_validate(item) for item in items])
        elif of == PUBLISHED:
            await _fill_compared(session, [CourseFacts.model_validate(item) for item in items])

    async def swap(self, session: AsyncSession) -> None:
        """Rows that differ are written again, courses that content does not know are buried, the rest stays.

        Positions, announced versions and the catalogue's own settings live on; readers see one moment or the other.
        Other writers wait meanwhile: so what was found to be right when its page came is not looked at again.
        """
        await take_turn(session)
        after = ""
        while rows := (await session.execute(_UNSURE, {"after": after, "limit": _PAGE})).all():
            await replace_courses(session, [_fact(row.fact) for row in rows], default=self.default_mode)
            after = rows[-1].course_key
        await bury_others(session, default=self.default_mode, now=datetime.now(UTC))
        for statement in _SWAP_ROLES:
            await session.execute(statement)
        await next_revision(session, [])
        await self.clear(session)


def _fact(stored: Mapping[str, object]) -> Fact:
    kind = CourseDeleted if stored["deleted"] else CourseFacts
    return kind.model_validate(stored)
