"""What a change of the draft means for what learners read: publish, discard, unpublish, blocks without a draft state.

All work on an open `Edit` and are part of its one version. A library has nothing to publish: there they do nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from content.versions.branches import Block, BranchEdit
from content.versions.editing import Edit
from content.versions.errors import BlockUnknown, NeverPublished, NowhereToGo, ParentNotPublished, RootStays
from content.versions.models import DIRECT_ONLY
from content.versions.queries import Connection

# Both walk by block_live; equal digests mean equal rows. Ends at the first difference.
_HAS_CHANGES = """
with recursive heads as (
  select (select id from branch where course_key = $1 and name = 'draft') d,
         (select id from branch where course_key = $1 and name = 'published') p),
walk(block_id) as (
  select $2::text collate "C"
  union
  select k.child from heads h cross join walk w
  join block b on b.branch_id = h.d and b.block_id = w.block_id and b.to_version is null
  cross join unnest(b.children) k(child))
select exists (
  select from heads h cross join walk w
  join block d on d.branch_id = h.d and d.block_id = w.block_id and d.to_version is null
  left join block p on p.branch_id = h.p and p.block_id = d.block_id and p.to_version is null
  where p.digest is distinct from d.digest)"""
# The branches as parameters, so that each side is its own part of block_live or block_from and no more.
_CHANGED = """
select d.block_id from block d
left join block p on p.branch_id = (select id from branch where course_key = $1 and name = 'published')
  and p.block_id = d.block_id and p.to_version is null
where d.branch_id = (select id from branch where course_key = $1 and name = 'draft') and d.to_version is null
  and d.type not like '$%' and p.digest is distinct from d.digest"""


async def has_changes(connection: Connection, course_key: str, block_id: str) -> bool:
    """Does anything from this block of the draft down differ from what is published? One query."""
    return bool(await connection.fetchval(_HAS_CHANGES, course_key, block_id))


async def changed_blocks(connection: Connection, course_key: str) -> set[str]:
    """All blocks of the draft that differ from what is published: for outlines, one hash join over both branches."""
    return {row["block_id"] for row in await connection.fetch(_CHANGED, course_key)}


def is_direct(block_type: str) -> bool:
    """Has this type no draft state of its own?"""
    return block_type in DIRECT_ONLY


async def publish_itself(edit: Edit, block_id: str) -> None:
    """Publish a block of a direct-only type as the draft now has it, without its children; others are left alone.

    Its published children stay: in the order of the draft, those that the draft lists no more at their old places.
    """
    published = edit.published
    block = await edit.draft.find(block_id)
    if published is None or block is None or not is_direct(block.type):
        return
    twin = await published.find(block_id)
    if block.parent is not None and await published.find(block.parent) is None:
        return
    children = await _standing_children(published, block, twin)
    published.put(_twin(block, children))
    await _place(edit, published, block, twin)


async def publish(edit: Edit, block_id: str) -> None:
    """Publish a block and all below it: learners read from now on what the draft says, moves and deletions included.

    Raises `BlockUnknown`, `ParentNotPublished`.
    """
    published = edit.published
    if published is None:
        return
    subtree = await edit.draft.subtree(block_id)
    if not subtree:
        raise BlockUnknown(block_id)
    top = subtree[block_id]
    going = _owned(await published.subtree(block_id), block_id).keys() - subtree.keys()
    if top.parent is not None and (top.parent in going or await published.find(top.parent) is None):
        raise ParentNotPublished(f"{top.parent} is not published yet: publish that first.")
    twins = await published.find_many(subtree)
    for gone in going:
        published.drop(gone)
    for block in subtree.values():
        published.put(_twin(block, block.children))
    await _place(edit, published, top, twins.get(block_id))
    for block in subtree.values():
        await _take_from_old_parent(edit, published, block, twins.get(block.block_id))


async def discard(edit: Edit, block_id: str) -> None:
    """Make the draft of a subtree what is published of it: what was added goes, what was moved away comes back.

    Raises `BlockUnknown`, `NeverPublished`, `NowhereToGo`, `RootStays` for a library.
    """
    if edit.published is None:
        raise RootStays("A library has no published branch to go back to.")
    was = await edit.published.subtree(block_id)
    if not was:
        if await edit.draft.find(block_id) is None:
            raise BlockUnknown(block_id)
        raise NeverPublished
    twins = await edit.draft.find_many(was)
    now: dict[str, Block] = {}
    for twin in twins.values():
        # what was moved away comes back without what it has got meanwhile
        now |= _owned(await edit.draft.subtree(twin.block_id), twin.block_id)
    top, here = was[block_id], twins.get(block_id)
    homeless = await _is_homeless(edit, top, now)
    if homeless and (here is None or here.parent in now):
        raise NowhereToGo
    for gone in now.keys() - was.keys():
        edit.draft.drop(gone)
    for block in was.values():
        edit.draft.put(_twin(block, block.children))
    for old in twins.values():
        if old.block_id != block_id and old.parent != was[old.block_id].parent:
            await _unlist(edit.draft, old.parent, old.block_id)
    if homeless:
        edit.draft.put(_twin(top.changed(parent=here.parent if here else None), top.children))
    else:
        await _bring_home(edit, top, here)


async def _is_homeless(edit: Edit, top: Block, now: Mapping[str, Block]) -> bool:
    """Is the place where it was published gone from the draft, or below it by now?"""
    if top.parent is None:
        return False
    if await edit.draft.find(top.parent) is None:
        return True
    line = {block.block_id for block in await edit.draft.ancestors(top.parent)}
    return not now.keys().isdisjoint({top.parent, *line})


async def _bring_home(edit: Edit, top: Block, here: Block | None) -> None:
    """List the block in the draft where it was published, and nowhere else."""
    if top.parent is None or edit.published is None:
        return
    if here is not None and here.parent != top.parent:
        await _unlist(edit.draft, here.parent, top.block_id)
    parent, other = await edit.draft.get(top.parent), await edit.published.find(top.parent)
    if top.block_id not in parent.children and other is not None and top.block_id in other.children:
        edit.draft.put(parent.changed(children=_insert(parent.children, top.block_id, other.children)))


async def unpublish(edit: Edit, block_id: str) -> None:
    """Take a subtree away from learners; the draft keeps it. Raises `BlockUnknown`, `RootStays`."""
    published = edit.published
    if published is None:
        raise RootStays("A library has nothing to take away: it is not published.")
    was = await published.subtree(block_id)
    if not was:
        raise BlockUnknown(block_id)
    top = was[block_id]
    if top.type == "course" and top.parent is None:
        raise RootStays
    for gone in _owned(was, block_id):
        published.drop(gone)
    await _unlist(published, top.parent, block_id)


async def remove(edit: Edit, block_id: str, *, everywhere: bool = False) -> None:
    """Delete a subtree from the draft. A direct-only block goes from both branches; another stays published until its
    parent is published, unless *everywhere*.

    Raises `BlockUnknown`, `RootStays`.
    """
    was = await edit.draft.subtree(block_id)
    if not was:
        raise BlockUnknown(block_id)
    top = was[block_id]
    if top.parent is None and top.type in ("course", "library"):
        raise RootStays
    for gone in _owned(was, block_id):
        edit.draft.drop(gone)
    await _unlist(edit.draft, top.parent, block_id)
    if edit.published is None or not (everywhere or is_direct(top.type)):
        return
    if await edit.published.find(block_id) is not None:
        await unpublish(edit, block_id)


async def unlist(edit: Edit, parent: str | None, block_id: str) -> None:
    """A block is no longer among its parent's children in the draft."""
    await _unlist(edit.draft, parent, block_id)


def _owned(subtree: Mapping[str, Block], top: str) -> dict[str, Block]:
    """Of a subtree, what is in it alone: a block that an import shared belongs to the parent it names."""
    owned: dict[str, Block] = {}
    stack = [top] if top in subtree else []
    while stack:
        block = subtree[stack.pop()]
        if block.block_id in owned:
            continue
        owned[block.block_id] = block
        stack.extend(c for c in block.children if c in subtree and subtree[c].parent == block.block_id)
    return owned


def _twin(block: Block, children: Sequence[str]) -> Block:
    """The row of the other branch; its digest is kept where it says the same, so that equal rows are equal bytes."""
    copy = replace(block, since=0, source=None)
    return copy if tuple(children) == block.children else copy.changed(children=tuple(children))


async def _standing_children(published: BranchEdit, block: Block, twin: Block | None) -> tuple[str, ...]:
    """The children that the published block has: the draft's order, and what the draft lists no more."""
    before = twin.children if twin else ()
    standing = await published.find_many([*block.children, *before])
    here = {
        child
        for child in block.children
        if child in standing and (child in before or standing[child].parent in (block.block_id, None))
    }
    children = tuple(child for child in block.children if child in here)
    for child in before:
        if child in standing and child not in children:
            children = _insert(children, child, before)
    return children


async def _place(edit: Edit, published: BranchEdit, block: Block, twin: Block | None) -> None:
    """Let the published parent list the block where the draft has it, and no other parent."""
    await _take_from_old_parent(edit, published, block, twin)
    if block.parent is None:
        return
    above, parent = await edit.draft.find(block.parent), await published.find(block.parent)
    if above is None or parent is None or block.block_id not in above.children:
        return
    children = _ordered({*parent.children, block.block_id}, above.children, parent.children)
    if children != parent.children:
        published.put(parent.changed(children=children))


async def _take_from_old_parent(edit: Edit, published: BranchEdit, block: Block, twin: Block | None) -> None:
    """A block that moved is no longer where it was published, unless the draft lists it there as well."""
    if twin is None or twin.parent is None or twin.parent == block.parent:
        return
    before = await edit.draft.find(twin.parent)
    if before is None or block.block_id not in before.children:
        await _unlist(published, twin.parent, block.block_id)


def _ordered(chosen: Collection[str], order: Sequence[str], before: Sequence[str]) -> tuple[str, ...]:
    """*chosen* in this order; those it does not name at their places among what was before."""
    children = tuple(child for child in order if child in chosen)
    for child in before:
        if child not in children:
            children = _insert(children, child, before)
    return children


def _insert(children: Sequence[str], child: str, order: Sequence[str]) -> tuple[str, ...]:
    """*children* with the child after the nearest of those that come before it in *order*."""
    before = list(order[: order.index(child)])
    place = next((children.index(other) + 1 for other in reversed(before) if other in children), 0)
    return (*children[:place], child, *children[place:])


async def _unlist(branch: BranchEdit, parent_id: str | None, block_id: str) -> None:
    parent = await branch.find(parent_id) if parent_id else None
    if parent is not None and block_id in parent.children:
        branch.put(parent.changed(children=tuple(child for child in parent.children if child != block_id)))
