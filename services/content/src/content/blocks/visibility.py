"""What a learner may see: start, staff-only and groups, merged over all ancestors. No I/O."""

from collections.abc import Mapping
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


@dataclass(frozen=True, slots=True)
class Viewer:
    """Through whose eyes a tree is read."""

    sees_all: bool = False
    mode: str | None = None
    reader: Reader = field(default_factory=Reader)
    policies: Mapping[str, Policy] = field(default_factory=dict)


def visible_blocks(tree: Tree, viewer: Viewer, now: datetime) -> dict[str, None]:
    """The blocks reachable from the root that *viewer* may see, parents before children; orphans are nobody's."""
    return survey(tree, viewer, now)[0]


def survey(tree: Tree, viewer: Viewer, now: datetime) -> tuple[dict[str, None], dict[str, None]]:
    """What `visible_blocks` says, and the topmost blocks that only an access policy keeps from this viewer."""
    if viewer.sees_all:
        return dict.fromkeys(tree.order), {}
    found: dict[str, None] = {}
    closed: dict[str, None] = {}
    stack: list[tuple[str, Mapping[int, frozenset[int]]]] = [(tree.root, {})] if tree.root else []
    while stack:
        block_id, above = stack.pop()
        node = tree.nodes.get(block_id)
        if node is None or block_id in found or not has_started(node, now) or is_staff_only(node):
            continue
        groups = _merged_groups(node, above)
        if not _may_enter(groups, viewer.mode):
            continue
        if not admits_block(viewer.policies, block_id, viewer.reader, now):
            closed[block_id] = None
            continue
        found[block_id] = None
        stack.extend((child, groups) for child in reversed(node.children))
    return found, {block_id: None for block_id in closed if block_id not in found}


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


def _merged_groups(node: Node, above: Mapping[int, frozenset[int]]) -> Mapping[int, frozenset[int]]:
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


def _may_enter(groups: Mapping[int, frozenset[int]], mode: str | None) -> bool:
    """Only membership by mode of enrollment is known here; who is in no group a block is for does not see it."""
    return all(
        partition == _MODE_PARTITION and mode is not None and _MODE_GROUPS.get(mode) in allowed
        for partition, allowed in groups.items()
    )
