"""Going back to a version: the branch holds again what it held then, as a new version after all the others."""

from collections.abc import Mapping
from typing import Final

from content.versions.branches import COLUMNS, Block, BranchEdit, block_of
from content.versions.editing import Edit
from content.versions.errors import VersionNotFound
from content.versions.models import ASSET, FILE
from content.versions.publishing import is_direct, publish_itself, unpublish

_VERSION = """
select br.id, v.number from version v join branch br on br.id = v.branch_id
where v.guid = $1 and br.course_key = $2"""
# Rows closed since then: block_to when few versions lie between, block_span when many do.
_CLOSED = f"""
select {COLUMNS} from block b
where b.branch_id = $1 and b.to_version > $2 and b.from_version <= $2
  and int8range(b.from_version, b.to_version) @> $2::bigint"""
# block_from, then block_past for each of them
_NEWER = """
select l.block_id from block l
where l.branch_id = $1 and l.to_version is null and l.from_version > $2 and not exists (
  select from block b where b.branch_id = $1 and b.block_id = l.block_id
    and b.from_version <= $2 and (b.to_version is null or b.to_version > $2))"""
# From a version of the other branch: one hash join of two whole trees, of which only what differs comes back.
_OTHERS = f"""
select {COLUMNS} from block b
left join block l on l.branch_id = $3 and l.block_id = b.block_id and l.to_version is null
where b.branch_id = $1 and int8range(b.from_version, b.to_version) @> $2::bigint
  and l.digest is distinct from b.digest"""
_ELSEWHERE = """
select l.block_id from block l
where l.branch_id = $3 and l.to_version is null and not exists (
  select from block b where b.branch_id = $1 and b.block_id = l.block_id
    and b.from_version <= $2 and (b.to_version is null or b.to_version > $2))"""
_DEPTH: Final = {"course": 0, "chapter": 1, "sequential": 2}


async def revert(edit: Edit, guid: str) -> None:
    """Make the draft (of a library: its branch) what a version of the course was, of whichever branch it is.

    What has no draft state (assets, files, blocks of direct-only types) goes back on the published branch as well;
    units go back for learners when they are published. Raises `VersionNotFound`.
    """
    await _restore(edit, edit.draft, guid)
    await _follow(edit, await edit.draft.pending())


async def revert_published(edit: Edit, guid: str) -> None:
    """Make what is published what a version of the course was, of whichever branch it is; the draft stays as it is.

    Raises `VersionNotFound`, also for a library, which has nothing published.
    """
    if edit.published is None:
        raise VersionNotFound(f"There is no version {guid} of this course.")
    await _restore(edit, edit.published, guid)


async def _restore(edit: Edit, branch: BranchEdit, guid: str) -> None:
    named = bytes.fromhex(guid) if len(guid) == 24 else b""
    version = await edit.connection.fetchrow(_VERSION, named, edit.course.canonical)
    if version is None:
        raise VersionNotFound(f"There is no version {guid} of this course.")
    here = branch.head.branch_id
    place = (version["id"], version["number"])
    same = version["id"] == here
    rows = await (edit.connection.fetch(_CLOSED, *place) if same else edit.connection.fetch(_OTHERS, *place, here))
    gone = await (edit.connection.fetch(_NEWER, *place) if same else edit.connection.fetch(_ELSEWHERE, *place, here))
    for row in rows:
        branch.put(block_of(row))
    for row in gone:
        branch.drop(row["block_id"])


async def _follow(edit: Edit, changed: Mapping[str, Block | None]) -> None:
    """Carry to learners what has no draft state."""
    if edit.published is None:
        return
    back = [block for block in changed.values() if block is not None]
    gone = [block_id for block_id, block in changed.items() if block is None]
    for block in sorted(back, key=lambda block: (_DEPTH.get(block.type, 3), block.block_id)):
        if block.type in (ASSET, FILE):
            edit.published.put(block)
        elif is_direct(block.type):
            await publish_itself(edit, block.block_id)
    for block_id in gone:
        block_type = block_id.partition("@")[0]
        if block_type in (ASSET, FILE):
            edit.published.drop(block_id)
        elif is_direct(block_type) and await edit.published.find(block_id) is not None:
            await unpublish(edit, block_id)
