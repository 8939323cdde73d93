"""Where a block may be put, and putting it there."""

from collections.abc import Sequence
from typing import Final

from content.authoring.errors import InvalidData, LibraryFull, NotForLibraries, TreeTooDeep
from content.versions.branches import Block
from content.versions.editing import Edit
from content.versions.models import DETACHED, MAX_DEPTH
from content.versions.publishing import publish_itself
from content.versions.tree import ROOTS

LEAVES: Final = frozenset({"html", "problem", "video", "discussion", *DETACHED})
"""Well-known types that have no children."""
IN_LIBRARIES: Final = frozenset({"html", "problem", "video"})
LIBRARY_LIMIT: Final = 1000


def check_parent(edit: Edit, parent: Block, category: str, *, more: int = 1) -> None:
    """May the parent have a new child of this type?

    Raises `InvalidData`, and for libraries `NotForLibraries`, `LibraryFull`.
    """
    if edit.course.is_library:
        if category not in IN_LIBRARIES:
            raise NotForLibraries(category)
        if parent.type == "library" and len(parent.children) + more > LIBRARY_LIMIT:
            raise LibraryFull(LIBRARY_LIMIT)
    if category in ROOTS:
        raise InvalidData(f"a {category} is not part of another block")
    if category not in DETACHED and parent.type in LEAVES:
        raise InvalidData(f"{parent.type} has no children")


async def check_depth(edit: Edit, parent_id: str, levels: int) -> None:
    """Raises `TreeTooDeep`."""
    above = len(await edit.draft.ancestors(parent_id)) + 1
    if above + levels > MAX_DEPTH:
        raise TreeTooDeep(f"A block cannot be more than {MAX_DEPTH} levels deep.")


def levels_of(subtree: dict[str, Block], top: str) -> int:
    """How deep a subtree is, its top included."""
    depth, level, seen = 0, [top], {top}
    while level:
        depth += 1
        below = dict.fromkeys(child for block_id in level for child in subtree[block_id].children)
        level = [child for child in below if child in subtree and child not in seen]
        seen.update(level)
    return depth


async def insert_child(edit: Edit, parent_id: str, child: str, index: int | None = None) -> None:
    """List the child in its parent, last unless told otherwise."""
    parent = await edit.draft.get(parent_id)
    children = list(parent.children)
    children.insert(len(children) if index is None else index, child)
    edit.draft.put(parent.changed(children=tuple(children)))


async def settle(edit: Edit, block_ids: Sequence[str]) -> None:
    """Publish those of the blocks that have no draft state, parents first as they are given."""
    for block_id in dict.fromkeys(block_ids):
        await publish_itself(edit, block_id)
