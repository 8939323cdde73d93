"""Moving a block to another parent."""

from typing import Final

from pydantic import JsonValue

from content.authoring.errors import MoveRefused
from content.authoring.operations.placing import LEAVES, check_depth, insert_child, levels_of, settle
from content.versions.branches import Block
from content.versions.editing import Edit
from content.versions.models import usage_of
from content.versions.publishing import is_direct, unlist
from content.versions.tree import ROOTS

_WITHIN: Final = {"sequential": "vertical", "chapter": "sequential"}


async def move_block(edit: Edit, source_id: str, target_id: str, target_index: JsonValue) -> int:
    """Move it, last unless told otherwise; the index for moving it back, or the one that was asked for.

    Raises `MoveRefused` with the first of eight reasons, `BlockUnknown`, `TreeTooDeep`.
    """
    source, target = await edit.draft.get(source_id), await edit.draft.get(target_id)
    above = [block.block_id for block in await edit.draft.ancestors(target_id)]
    parent = await edit.draft.find(source.parent) if source.parent else None
    if not _may_hold(target, source):
        raise MoveRefused(f"You can not move {source.type} into {target.type}.")
    if source.parent == target_id or source_id in target.children:
        raise MoveRefused("Item is already present in target location.")
    if source_id == target_id:
        raise MoveRefused("You can not move an item into itself.")
    if source_id in above:
        raise MoveRefused("You can not move an item into it's child.")
    if target.type == "split_test":
        raise MoveRefused("You can not move an item directly into content experiment.")
    if parent is None or source_id not in parent.children:
        lost = usage_of(edit.course, source.parent or (await edit.draft.root()).block_id)
        raise MoveRefused(f"{usage_of(edit.course, source_id)} not found in {lost}.")
    index = _read_index(edit, source_id, target, target_index)
    await check_depth(edit, target_id, levels_of(await edit.draft.subtree(source_id), source_id))
    await unlist(edit, source.parent, source_id)
    edit.draft.put(source.changed(parent=target_id))
    await insert_child(edit, target_id, source_id, index)
    await settle(edit, [parent.block_id, target_id, source_id])
    return parent.children.index(source_id) if index is None else index


def _may_hold(target: Block, source: Block) -> bool:
    if source.type in ROOTS:
        return False
    return _WITHIN.get(target.type) == source.type or not (
        is_direct(target.type) or target.type in LEAVES or target.type in ROOTS
    )


def _read_index(edit: Edit, source_id: str, target: Block, given: JsonValue) -> int | None:
    if given is None:
        return None
    try:
        if isinstance(given, bool) or not isinstance(given, int | str):
            raise ValueError
        index = int(given)
    except ValueError as error:
        raise MoveRefused(f"You must provide target_index ({str(given)[:100]}) as an integer.") from error
    if not 0 <= index <= len(target.children):
        raise MoveRefused(f"You can not move {usage_of(edit.course, source_id)} at an invalid index ({index}).")
    return index
