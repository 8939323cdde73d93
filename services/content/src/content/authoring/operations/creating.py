"""Creating a block."""

import re
from typing import Final

from content.authoring.errors import ClipboardEmpty, FieldRequired, InvalidData
from content.authoring.operations.placing import check_depth, check_parent, insert_child, settle
from content.authoring.operations.tabs import STATIC_TAB, add_tab
from content.authoring.schemas import BlockIn
from content.authoring.settings import parse_setting
from content.versions.branches import Block, new_block_id
from content.versions.editing import Edit
from content.versions.models import DETACHED

_TYPE: Final = re.compile(r"[\w\-~.:]{1,100}")
_EMPTY_TAB: Final = "Empty"


async def create_block(edit: Edit, parent_id: str, new: BlockIn) -> Block:
    """A new block of the parent's, its last child; a page beside the tree is in nobody's children.

    Raises `InvalidData`, `ClipboardEmpty`, `NotForLibraries`, `LibraryFull`, `TreeTooDeep`, `BlockUnknown`.
    """
    parent = await edit.draft.get(parent_id)
    if new.staged_content == "clipboard":
        # nobody has a clipboard here: what upstream answers when there is nothing in it
        raise ClipboardEmpty
    category = new.category
    if category is None:
        raise FieldRequired("category: This field is required.")
    if not _TYPE.fullmatch(category):
        raise InvalidData("category is not the name of a block type")
    check_parent(edit, parent, category)
    await check_depth(edit, parent_id, 1)
    settings = {}
    name = new.display_name if new.display_name is not None else _EMPTY_TAB if category == STATIC_TAB else None
    if name is not None:
        try:
            settings["display_name"] = parse_setting("display_name", name)
        except ValueError as error:
            raise InvalidData(str(error)) from error
    block_id = new_block_id(category)
    if category in DETACHED:
        block = Block(block_id, category, settings=settings)
        edit.draft.put(block)
        await settle(edit, [block_id])
        if category == STATIC_TAB:
            await add_tab(edit, block)
        return block
    block = Block(block_id, category, parent_id, settings=settings)
    edit.draft.put(block)
    await insert_child(edit, parent_id, block_id)
    await settle(edit, [parent_id, block_id])
    return block
