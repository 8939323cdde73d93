"""Deleting blocks."""

from content.authoring.errors import HasChildren
from content.authoring.operations.placing import settle
from content.authoring.operations.tabs import STATIC_TAB, remove_tab
from content.versions.editing import Edit
from content.versions.publishing import remove


async def delete_block(edit: Edit, block_id: str, *, recurse: bool | None = None, all_versions: bool = False) -> None:
    """Delete a block with all that is below it; a page's tab goes too.

    Raises `HasChildren` when *recurse* is refused, `BlockUnknown`, `RootStays`.
    """
    block = await edit.draft.get(block_id)
    if recurse is False and block.children:
        raise HasChildren
    await remove(edit, block_id, everywhere=all_versions)
    if block.type == STATIC_TAB:
        await remove_tab(edit, block)
    if block.parent is not None:
        await settle(edit, [block.parent])
