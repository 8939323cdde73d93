"""The state of courses and teams as their events say it, page by page in the order of the keys."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from common.database import raw
from common.messaging.announcing import Item, Source, announcing
from content.courses.announcing import NOTHING_PUBLISHED, course_settings
from content.events import (
    AnnounceAgain,
    ContentAnnounced,
    CourseDeleted,
    CoursePublished,
    CourseTeamChanged,
    TeamMember,
)

COMMAND = "content.announce.v1"
# one round trip a page: indexes course_pkey, branch_course_key_name_key, block_root, block_live
_PUBLISHED = """
select c.course_key, c.spelling, c.announced, c.org, c.number, c.run, c.creator, c.source,
  p.guid as published, coalesce(d.guid, p.guid) as draft,
  coalesce(
    (select b.settings from block b
      where b.branch_id = p.id and b.to_version is null and b.parent_id is null and b.type = 'course'),
    (select b.settings from block b
      where b.branch_id = p.id and b.to_version is null and b.block_id = 'library@library')) as settings,
  (select jsonb_object_agg(regexp_replace(b.block_id, '^.*@', ''), f.fields->'data')
    from block b left join definition f on f.guid = b.definition
    where b.branch_id = p.id and b.to_version is null and b.block_id >= 'about@' and b.block_id < 'aboutA') as about
from course c join branch p on p.course_key = c.course_key and p.name in ('published', 'library')
left join branch d on d.course_key = c.course_key and d.name = 'draft'
where c.course_key > $1 and c.deleted_at is null order by c.course_key limit $2"""
_DELETED = """
select course_key, announced, deleted_at from course
where course_key > $1 and deleted_at is not null order by course_key limit $2"""
_TEAMS = """
select c.course_key, c.team_version, t.members from course c, lateral (
  select jsonb_agg(jsonb_build_object('user_id', user_id, 'username', username, 'role', role, 'version', version,
    'removed', removed) order by user_id) as members from course_team where course_key = c.course_key) t
where c.course_key > $1 and c.team_version > 0 and t.members is not null order by c.course_key limit $2"""


async def read_published(session: AsyncSession, after: str, limit: int) -> Sequence[tuple[str, Item]]:
    found = []
    for row in await (await raw(session)).fetch(_PUBLISHED, after, limit):
        about = {name: text if isinstance(text, str) else None for name, text in (row["about"] or {}).items()}
        state = CoursePublished(
            course_id=row["course_key"],
            spelling=row["spelling"],
            version=row["announced"],
            guid=row["published"].hex(),
            draft_guid=row["draft"].hex(),
            org=row["org"],
            number=row["number"],
            run=row["run"],
            created_by=row["creator"],
            source=row["source"],
            course=course_settings(NOTHING_PUBLISHED if row["settings"] is None else row["settings"]),
            about=about,
        )
        found.append((row["course_key"], state.model_dump(mode="json")))
    return found


async def read_deleted(session: AsyncSession, after: str, limit: int) -> Sequence[tuple[str, Item]]:
    found = []
    for row in await (await raw(session)).fetch(_DELETED, after, limit):
        deleted_at: datetime = row["deleted_at"]
        state = CourseDeleted(course_id=row["course_key"], version=row["announced"], deleted_at=deleted_at)
        found.append((row["course_key"], state.model_dump(mode="json")))
    return found


async def read_teams(session: AsyncSession, after: str, limit: int) -> Sequence[tuple[str, Item]]:
    found = []
    for row in await (await raw(session)).fetch(_TEAMS, after, limit):
        members = [TeamMember(**member) for member in row["members"]]
        state = CourseTeamChanged(course_id=row["course_key"], version=row["team_version"], members=members)
        found.append((row["course_key"], state.model_dump(mode="json")))
    return found


announce = announcing(
    (
        Source(CoursePublished.type, read_published),
        Source(CourseDeleted.type, read_deleted),
        Source(CourseTeamChanged.type, read_teams),
    ),
    event=ContentAnnounced,
    again=AnnounceAgain,
)
