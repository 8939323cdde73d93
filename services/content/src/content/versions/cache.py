"""Trees kept in the process under their guid: a version never changes, so none of them can be stale."""

from collections import OrderedDict

from content.versions.queries import (
    Connection,
    find_head_part,
    find_head_tree,
    get_version_part,
    get_version_tree,
)
from content.versions.tree import Tree


class TreeCache:
    """The trees read last, bounded by the blocks they hold together.

    `part` names a block when nothing but it, its ancestors and what is below it will be looked at: then a tree that is
    not here yet is read in that part only, so that one block of any version costs the same in a course of any size.
    A part does not know by which other ways a shared block is reached: it is for the team, who see every block.
    """

    def __init__(self, *, blocks: int) -> None:
        self._room = blocks
        self._trees: OrderedDict[tuple[str, str | None], Tree] = OrderedDict()
        self._held = 0

    def _keep(self, tree: Tree, part: str | None) -> Tree:
        known = self._trees.setdefault((tree.guid, part), tree)
        if known is tree:
            self._held += _size(tree)
        while self._held > self._room and len(self._trees) > 1:
            _, oldest = self._trees.popitem(last=False)
            self._held -= _size(oldest)
        return known

    def find(self, guid: str, part: str | None = None) -> Tree | None:
        """The whole tree, or at least that *part* of it."""
        for key in ((guid, None), (guid, part)):
            if key in self._trees:
                self._trees.move_to_end(key)
                return self._trees[key]
        return None

    async def at_head(
        self, connection: Connection, course_key: str, branch: str, guid: str | None, *, part: str | None = None
    ) -> Tree | None:
        """The tree at a branch's head, whose guid the caller has just read."""
        tree = self.find(guid, part) if guid else None
        if tree is not None:
            return tree
        if part is None:
            tree = await find_head_tree(connection, course_key, branch)
        else:
            tree = await find_head_part(connection, course_key, branch, part)
        return self._keep(tree, part) if tree else None

    async def at_version(self, connection: Connection, guid: str, *, part: str | None = None) -> Tree:
        """Raises `VersionNotFound`."""
        tree = self.find(guid, part)
        if tree is not None:
            return tree
        if part is None:
            return self._keep(await get_version_tree(connection, guid), None)
        return self._keep(await get_version_part(connection, guid, part), part)


def _size(tree: Tree) -> int:
    """One more than its blocks: the part of a block that does not exist takes room too."""
    return len(tree.nodes) + 1
