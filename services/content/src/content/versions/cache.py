"""Trees kept in the process under their guid: a version never changes, so none of them can be stale."""

from collections import OrderedDict

from content.versions.queries import Connection, find_head_tree, get_version_tree
from content.versions.tree import Tree


class TreeCache:
    """The trees read last, bounded by the blocks they hold together."""

    def __init__(self, *, blocks: int) -> None:
        self._room = blocks
        self._trees: OrderedDict[str, Tree] = OrderedDict()
        self._held = 0

    def _keep(self, tree: Tree) -> Tree:
        if tree.guid in self._trees:
            return self._trees[tree.guid]
        self._trees[tree.guid] = tree
        self._held += len(tree.nodes)
        while self._held > self._room and len(self._trees) > 1:
            _, oldest = self._trees.popitem(last=False)
            self._held -= len(oldest.nodes)
        return tree

    def find(self, guid: str) -> Tree | None:
        tree = self._trees.get(guid)
        if tree:
            self._trees.move_to_end(guid)
        return tree

    async def at_head(self, connection: Connection, course_key: str, branch: str, guid: str | None) -> Tree | None:
        """The tree at a branch's head, whose guid the caller has just read."""
        tree = self.find(guid) if guid else None
        if tree is None:
            tree = await find_head_tree(connection, course_key, branch)
        return self._keep(tree) if tree else None

    async def at_version(self, connection: Connection, guid: str) -> Tree:
        """Raises `VersionNotFound`."""
        return self.find(guid) or self._keep(await get_version_tree(connection, guid))
