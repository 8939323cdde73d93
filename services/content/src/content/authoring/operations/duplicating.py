"""Copying a block with all that is below it."""

from content.authoring.errors import InvalidData
from content.authoring.operations.placing import check_depth, check_parent, insert_child, levels_of, settle
from content.authoring.operations.tabs import STATIC_TAB, add_tab
from content.authoring.settings import parse_setting
from content.versions.branches import Block, BranchEdit, new_block_id
from content.versions.editing import Edit
from content.versions.errors import BlockUnknown
from content.versions.models import DETACHED
from content.versions.tree import ROOTS


async def duplicate_block(edit: Edit, source: BranchEdit, source_id: str, parent_id: str, name: str | None) -> Block:
    """A deep copy under new names: right after its source in the same parent, else its new parent's last child.

    *source* is the branch that holds the source, maybe of another course: definitions are shared, nothing is copied.
    Raises `InvalidData`, `NotForLibraries`, `LibraryFull`, `TreeTooDeep`, `BlockUnknown`.
    """
    # one statement: a branch of another course is not locked
    subtree = await source.subtree(source_id)
    if source_id not in subtree:
        raise BlockUnknown(source_id)
    top = subtree[source_id]
    if top.type in ROOTS:
        raise InvalidData(f"a {top.type} cannot be duplicated")
    parent = await edit.draft.get(parent_id)
    check_parent(edit, parent, top.type)
    await check_depth(edit, parent_id, levels_of(subtree, source_id))
    names = {block_id: new_block_id(block.type) for block_id, block in subtree.items()}
    for block in subtree.values():
        edit.draft.put(_copy(block, names))
    settings = {**top.settings, "display_name": _name(top, name)}
    detached = top.type in DETACHED
    copied = _copy(top, names).changed(parent=None if detached else parent_id, settings=settings)
    edit.draft.put(copied)
    if not detached:
        beside = source is edit.draft and source_id in parent.children
        index = parent.children.index(source_id) + 1 if beside else None
        await insert_child(edit, parent_id, copied.block_id, index)
    await settle(edit, [parent_id, *(names[block_id] for block_id in subtree)])
    if top.type == STATIC_TAB:
        await add_tab(edit, copied)
    return copied


def _copy(block: Block, names: dict[str, str]) -> Block:
    return Block(
        names[block.block_id],
        block.type,
        names.get(block.parent or ""),
        block.definition,
        block.settings,
        tuple(names[child] for child in block.children if child in names),
        block.extra,
    )


def _name(top: Block, name: str | None) -> object:
    if name is not None:
        try:
            return parse_setting("display_name", name)
        except ValueError as error:
            raise InvalidData(str(error)) from error
    named = top.settings.get("display_name")
    return f"Duplicate of '{named}'" if isinstance(named, str) and named else f"Duplicate of {top.type}"
