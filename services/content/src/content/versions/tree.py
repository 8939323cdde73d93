"""A course tree in memory: nodes, inheritance, walking. A version never changes, so a tree can be kept for ever."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from common.keys import CourseKey, UsageKey

# Settings that a block takes from its nearest ancestor that has them.
INHERITED = frozenset(
    {
        "graded", "start", "due", "relative_weeks_due", "visible_to_staff_only", "course_edit_method", "giturl",
        "xqa_key", "graceperiod", "group_access", "showanswer", "show_correctness", "rerandomize",
        "days_early_for_beta", "static_asset_path", "use_latex_compiler", "max_attempts", "matlab_api_key",
        "user_partitions", "video_speed_optimizations", "video_auto_advance", "video_bumper", "show_reset_button",
        "edxnotes", "edxnotes_visibility", "in_entrance_exam", "self_paced", "hide_from_toc",
    }
)  # fmt: skip

ROOTS = frozenset({"course", "library"})


@dataclass(slots=True)
class Node:
    """One block of one version."""

    block_id: str
    type: str
    name: str
    parent: str | None
    children: tuple[str, ...]
    settings: dict[str, object]
    extra: dict[str, object] | None
    definition: bytes | None
    edited: int
    """The number of the version in which the block took this form."""
    inherited: dict[str, object] = field(default_factory=dict)
    """Settings of its ancestors that hold here too, nearest first; the block's own are not in it."""

    def setting(self, name: str, default: object = None) -> object:
        """The block's own value, else the inherited one, else *default*. A value set to null counts."""
        if name in self.settings:
            return self.settings[name]
        return self.inherited.get(name, default)

    def says_the_same(self, other: "Node") -> bool:
        """Is it the same block in the same place with the same children, in another version or branch?"""
        return (self.definition, self.settings, self.children, self.extra, self.parent) == (
            other.definition, other.settings, other.children, other.extra, other.parent,
        )  # fmt: skip

    @property
    def display_name(self) -> str:
        value = self.settings.get("display_name")
        return value if isinstance(value, str) else ""

    @property
    def title(self) -> str:
        """Something to show where there is no display name."""
        if self.display_name:
            return self.display_name
        # made-up names say nothing to anybody: the type says a little
        words = self.type if _MADE_UP.fullmatch(self.name) else self.name
        return re.sub(r"[_-]", " ", words).capitalize() if words is self.type else words.replace("_", " ")


_MADE_UP = re.compile(r"[0-9a-f]{16,}")


@dataclass(slots=True)
class Tree:
    """The blocks of one version of one branch."""

    course: CourseKey
    spelling: str
    branch: str
    guid: str
    number: int
    edited_on: datetime
    nodes: dict[str, Node]
    root: str | None = None
    order: dict[str, int] = field(default_factory=dict)
    """Place of every block reachable from the root, depth first."""
    _listed_by: dict[str, str | None] | None = None
    """The parent that lists a block; None for one that several do. Made when it is asked for."""

    def __post_init__(self) -> None:
        roots = (node.block_id for node in self.nodes.values() if node.type in ROOTS and node.parent is None)
        self.root = next(roots, None)
        for node in self.walk(self.root):
            self.order[node.block_id] = len(self.order)
        self._inherit()

    def walk(self, start: str | None) -> Iterator[Node]:
        """*start* and what is below it, parents before children; a block reached twice is met once."""
        seen: set[str] = set()
        stack = [start] if start else []
        while stack:
            block_id = stack.pop()
            node = self.nodes.get(block_id)
            if node is None or block_id in seen:
                continue
            seen.add(block_id)
            yield node
            stack.extend(reversed(node.children))

    def _inherit(self) -> None:
        """Hand settings down, parent before child; in a tree with shared blocks that is not the order of walking."""
        settled: set[str] = set()
        for block_id in self.order:
            line = [self.nodes[block_id], *self.ancestors(block_id)]
            for node in reversed(line):
                parent = self.nodes.get(node.parent) if node.parent else None
                if parent is None or node.block_id in settled:
                    continue
                own = {name: value for name, value in parent.settings.items() if name in INHERITED}
                node.inherited = {**parent.inherited, **own} if own else parent.inherited
                settled.add(node.block_id)

    def ancestors(self, block_id: str) -> list[Node]:
        """Parent first, root last."""
        found: dict[str, Node] = {}
        node = self.nodes.get(block_id)
        while node and node.parent and node.parent not in found:
            node = self.nodes.get(node.parent)
            if node:
                found[node.block_id] = node
        return list(found.values())

    def line(self, block_id: str) -> list[Node] | None:
        """From the root down to the block, along who lists whom; empty when nothing leads from the root to it, None
        when more than one way does."""
        if self._listed_by is None:
            self._listed_by = {}
            for place in self.order:
                for child in dict.fromkeys(self.nodes[place].children):
                    self._listed_by[child] = None if child in self._listed_by else place
        line: list[Node] = []
        while block_id != self.root:
            if block_id not in self.order:
                return []
            line.append(self.nodes[block_id])
            above = self._listed_by.get(block_id)
            if above is None:
                return None
            block_id = above
        line.append(self.nodes[block_id])
        line.reverse()
        return line

    def usage(self, block_id: str) -> UsageKey:
        block_type, _, name = block_id.partition("@")
        return self.course.usage(block_type, name)
