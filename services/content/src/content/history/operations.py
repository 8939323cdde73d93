"""Going back: a branch holds again what it held in some version, as a new version after all the others."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from common.database import raw
from common.keys import CourseKey
from content.versions.editing import COLUMNS, Edit, Saved, block_of, open_edit
from content.versions.errors import VersionNotFound
from content.versions.models import PUBLISHED
from content.versions.operations import Author
from content.versions.reverting import revert

_VERSION: Final = """
select v.branch_id, v.number from version v join branch br on br.id = v.branch_id
where v.guid = $1 and br.course_key = $2"""
# block_span for the version, block_live for the head; only what differs comes back
_BACK: Final = f"""
select {COLUMNS} from block b
left join block l on l.branch_id = $3 and l.block_id = b.block_id and l.to_version is null
where b.branch_id = $1 and int8range(b.from_version, b.to_version) @> $2::bigint
  and l.digest is distinct from b.digest"""
_GONE: Final = """
select l.block_id from block l
where l.branch_id = $3 and l.to_version is null and not exists (
  select from block b where b.branch_id = $1 and b.block_id = l.block_id
    and b.from_version <= $2 and (b.to_version is null or b.to_version > $2))"""


async def revert_branch(
    session: AsyncSession,
    course: CourseKey,
    branch: str,
    guid: str,
    author: Author,
    *,
    if_match: Sequence[str] | None,
) -> Saved:
    """Make a branch what a version of the course was, of whichever branch that is. Nothing is lost by it.

    Going back in the draft takes what has no draft state (files, sections) back for learners too; going back in what is
    published leaves the draft alone. Raises `CourseGone`, `VersionNotFound`, `StaleMatch`.
    """
    edit = await open_edit(await raw(session), course, author, if_match=if_match, branch=branch)
    await revert_in(edit, branch, guid)
    return await edit.save(session)


async def revert_in(edit: Edit, branch: str, guid: str) -> None:
    """The same as a part of an edit. Raises `VersionNotFound`."""
    if branch == PUBLISHED:
        await _revert_published(edit, guid)
    else:
        await revert(edit, guid)


async def _revert_published(edit: Edit, guid: str) -> None:
    named = bytes.fromhex(guid) if len(guid) == 24 else b""
    found = await edit.connection.fetchrow(_VERSION, named, edit.course.canonical)
    published = edit.published
    if found is None or published is None:
        raise VersionNotFound(f"There is no version {guid} of this course.")
    place = (found["branch_id"], found["number"], published.head.branch_id)
    for row in await edit.connection.fetch(_BACK, *place):
        published.put(block_of(row))
    for row in await edit.connection.fetch(_GONE, *place):
        published.drop(row["block_id"])
