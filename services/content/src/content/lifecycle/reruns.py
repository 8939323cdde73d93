"""The next run of a course: the same definitions and files under another key, for the price of its rows."""

from collections.abc import Mapping
from datetime import datetime

import asyncpg
from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncSession

from common.database import raw
from common.keys import CourseKey
from content.courses.announcing import announce_course
from content.courses.operations import Creator, claim_course, open_branches, refuse_taken, welcome_creator
from content.lifecycle.errors import SourceUnknown
from content.versions.models import DRAFT, PUBLISHED, Difference, Row, make_row
from content.versions.operations import Author, Head, live_rows, lock_branches, write_version

# What belongs to a run and not to the course.
_OF_THE_RUN = (
    "start", "end", "enrollment_start", "enrollment_end", "advertised_start", "announcement",
    "certificate_available_date",
)  # fmt: skip
# block_live of the source. Published rows name the draft version they came from where both say the same.
_COPY = """
insert into block (branch_id, block_id, from_version, type, parent_id, definition, settings, children, extra, digest,
                   source_version)
select $2, b.block_id, $3, b.type, b.parent_id, b.definition, b.settings, b.children, b.extra, b.digest, d.from_version
from block b
left join block d on d.branch_id = $4 and d.block_id = b.block_id and d.to_version is null and d.digest = b.digest
where b.branch_id = $1 and b.to_version is null and b.block_id <> $5"""
# block_root
_ROOT = """
select b.block_id, b.type, b.definition, b.settings, b.children, b.extra from block b
where b.branch_id = $1 and b.to_version is null and b.parent_id is null and b.type = 'course'"""
_STANDS = "select exists (select from course where course_key = $1 and deleted_at is null)"


async def rerun_course(
    session: AsyncSession,
    source: CourseKey,
    course: CourseKey,
    *,
    creator: Creator,
    settings: Mapping[str, JsonValue],
    now: datetime,
) -> None:
    """Both branches of *source* under a new key. The dates of the old run are not those of the new one: it has those
    in *settings*, or none.

    Raises `SourceUnknown`, `CourseExists`, `NameTaken`.
    """
    connection = await raw(session)
    sources = await lock_branches(connection, source.canonical, (DRAFT, PUBLISHED))
    if len(sources) < 2 or not await connection.fetchval(_STANDS, source.canonical):
        raise SourceUnknown
    if not await claim_course(connection, course, spelling=course.canonical, creator=creator):
        await refuse_taken(connection, course)
    heads = await open_branches(connection, course)
    draft_id: int | None = None
    for name in (DRAFT, PUBLISHED):
        said = {"rerun_of": source.canonical, "version": sources[name].guid.hex()}
        author = Author(creator.user_id, creator.username, "rerun", said)
        await _copy(connection, sources[name], heads[name], author, settings, draft_id)
        draft_id = heads[name].branch_id
    await welcome_creator(session, connection, course, creator=creator, spelling=course.canonical, now=now)
    await announce_course(session, connection, course, created=True)


async def _copy(
    connection: asyncpg.Connection,
    source: Head,
    target: Head,
    author: Author,
    settings: Mapping[str, JsonValue],
    draft_id: int | None,
) -> None:
    """One version with everything in it: the root as the new run has it, the rest as it stands in *source*."""
    found = await connection.fetchrow(_ROOT, source.branch_id)
    root = _root(found, settings) if found else None
    gone = tuple(await live_rows(connection, target))  # of a deleted course whose place this one takes
    change = Difference((root,) if root else (), tuple(name for name in gone if not root or name != root.block_id), 0)
    await write_version(connection, target, change, author)
    await connection.execute(
        _COPY, source.branch_id, target.branch_id, target.number + 1, draft_id, root.block_id if root else ""
    )


def _root(found: asyncpg.Record, settings: Mapping[str, JsonValue]) -> Row:
    kept = {name: value for name, value in found["settings"].items() if name not in _OF_THE_RUN}
    return make_row(
        found["block_id"],
        found["type"],
        definition=found["definition"],
        settings=kept | {name: value for name, value in settings.items() if value is not None},
        children=found["children"],
        extra=found["extra"],
    )
