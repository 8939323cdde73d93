"""What a learner may see: start, staff-only and groups, merged over all ancestors. No I/O."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from content.dates import NO_START, parse_date
from content.policies.models import Policy, Reader, admits_block
from content.versions.tree import Node, Tree

# The partition whose groups are the modes of enrollment; upstream's numbers.
_MODE_PARTITION = 50
_MODE_GROUPS = {"audit": 1, "verified": 2, "professional": 3, "no-id-professional": 4, "credit": 5, "honor": 6,
                "masters": 7, "executive-education": 8, "paid-executive-education": 9,
                "unpaid-executive-education": 10, "paid-bootcamp": 11, "unpaid-bootcamp": 12}  # fmt: skip

_Groups = Mapping[int, frozenset[int]]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Through whose eyes a tree is read."""

    sees_all: bool = False
    mode: str | None = None
    reader: Reader = field(default_factory=Reader)
    policies: Mapping[str, Policy] = field(default_factory=dict)


class Visible(Collection[str]):
    """The blocks reachable from the root that a viewer may see, parents before children; orphans are nobody's.

    Whether one block is among them is decided by what is above it; the whole tree is only walked by who goes through
    them all, or asks for a block that several others list.
    """

    def __init__(self, tree: Tree, viewer: Viewer, now: datetime) -> None:
        self._tree, self._viewer, self._now = tree, viewer, now
        self._groups: dict[str, _Groups | None] = {}
        self._found: Collection[str] | None = tree.order if viewer.sees_all else None

    def __contains__(self, block_id: object) -> bool:
        if self._found is None and isinstance(block_id, str):
            line = self._tree.line(block_id)
            if line is not None:
                return self._is_open(line)
        return block_id in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> Collection[str]:
        if self._found is None:
            self._found = survey(self._tree, self._viewer, self._now)[0]
        return self._found

    def _is_open(self, line: Sequence[Node]) -> bool:
        groups: _Groups | None = {}
        for node in line:
            if node.block_id not in self._groups:
                self._groups[node.block_id] = self._enter(node, groups or {})
            groups = self._groups[node.block_id]
            if groups is None:
                return False
        return bool(line)

    def _enter(self, node: Node, above: _Groups) -> _Groups | None:
        groups = _open_to(node, above, self._viewer, self._now)
        if groups is None or not admits_block(self._viewer.policies, node.block_id, self._viewer.reader, self._now):
            return None
        return groups


def survey(tree: Tree, viewer: Viewer, now: datetime) -> tuple[Mapping[str, object], dict[str, None]]:
    """All visible blocks, and the topmost blocks that only an access policy keeps from this viewer."""
    if viewer.sees_all:
        return tree.order, {}
    found: dict[str, None] = {}
    closed: dict[str, None] = {}
    stack: list[tuple[str, _Groups]] = [(tree.root, {})] if tree.root else []
    while stack:
        block_id, above = stack.pop()
        node = tree.nodes.get(block_id)
        groups = _open_to(node, above, viewer, now) if node and block_id not in found else None
        if node is None or groups is None:
            continue
        if not admits_block(viewer.policies, block_id, viewer.reader, now):
            closed[block_id] = None
            continue
        found[block_id] = None
        stack.extend((child, groups) for child in reversed(node.children))
    return found, {block_id: None for block_id in closed if block_id not in found}


def _open_to(node: Node, above: _Groups, viewer: Viewer, now: datetime) -> _Groups | None:
    """The groups that the block and those above it are for; None when the rules of the course keep the viewer out."""
    if not has_started(node, now) or is_staff_only(node):
        return None
    groups = _merged_groups(node, above)
    return groups if _may_enter(groups, viewer.mode) else None


def has_started(node: Node, now: datetime) -> bool:
    """A block without a start date starts at the end of time; one whose start was set to null has started."""
    value = node.setting("start", "")
    if value is None:
        return True
    return (parse_date(value) or NO_START) <= now


def is_staff_only(node: Node) -> bool:
    return node.setting("visible_to_staff_only") in (True, "true", "True")


def is_staff_only_merged(tree: Tree, node: Node) -> bool:
    """Staff-only itself, or below a block that is."""
    return is_staff_only(node) or any(is_staff_only(parent) for parent in tree.ancestors(node.block_id))


def _merged_groups(node: Node, above: _Groups) -> _Groups:
    """Group restrictions by partition: each ancestor can only narrow them."""
    own = node.settings.get("group_access")
    if not isinstance(own, dict) or not own:
        return above
    merged = dict(above)
    for partition, groups in own.items():
        if not isinstance(groups, list) or not groups or not str(partition).isdigit():
            continue
        allowed = frozenset(int(group) for group in groups if isinstance(group, int) or str(group).isdigit())
        number = int(partition)
        merged[number] = allowed & merged[number] if number in merged else allowed
    return merged


def _may_enter(groups: _Groups, mode: str | None) -> bool:
    """Only membership by mode of enrollment is known here; who is in no group a block is for does not see it."""
    return all(
        partition == _MODE_PARTITION and mode is not None and _MODE_GROUPS.get(mode) in allowed
        for partition, allowed in groups.items()
    )
