"""Release to learners: start, staff-only and groups, merged over all ancestors."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.keys import CourseKey
from content.blocks.visibility import Viewer, Visible
from content.policies.models import Applications, Policy, Public
from content.versions.tree import Node, Tree

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PAST, FUTURE = "2026-01-01T00:00:00Z", "2026-12-01T00:00:00Z"


def a_tree(root: dict, chapter: dict, leaf: dict) -> Tree:
    def node(key: str, parent: str | None, children: list[str], settings: dict) -> Node:
        return Node(key, key.split("@")[0], key.split("@")[1], parent, tuple(children), settings, None, None, 1)

    nodes = [
        node("course@c", None, ["chapter@a"], root),
        node("chapter@a", "course@c", ["html@h"], chapter),
        node("html@h", "chapter@a", [], leaf),
    ]
    key = CourseKey.parse("course-v1:O+C+R")
    return Tree(key, key.canonical, "published", "0" * 24, 1, NOW, {node.block_id: node for node in nodes})


@pytest.mark.parametrize(
    ("root", "chapter", "leaf", "mode", "seen"),
    [
        ({"start": PAST}, {}, {}, None, 3),
        ({}, {}, {}, None, 0),
        ({"start": None}, {}, {}, None, 3),
        ({"start": "some day"}, {}, {}, None, 0),
        ({"start": FUTURE}, {"start": PAST}, {}, None, 0),
        ({"start": PAST}, {"start": FUTURE}, {"start": PAST}, None, 1),
        ({"start": PAST}, {}, {"start": FUTURE}, None, 2),
        ({"start": PAST, "visible_to_staff_only": True}, {}, {"visible_to_staff_only": False}, None, 0),
        ({"start": PAST}, {"visible_to_staff_only": True}, {"visible_to_staff_only": False}, None, 1),
        ({"start": PAST}, {"visible_to_staff_only": False}, {}, None, 3),
        ({"start": PAST}, {"group_access": {"7": [1]}}, {}, "audit", 1),
        ({"start": PAST}, {"group_access": {"7": []}}, {}, "audit", 3),
        ({"start": PAST}, {"group_access": {"50": [2]}}, {}, "audit", 1),
        ({"start": PAST}, {"group_access": {"50": [2]}}, {}, "verified", 3),
        ({"start": PAST}, {"group_access": {"50": [2]}}, {}, None, 1),
        ({"start": PAST}, {"group_access": {"50": [1, 2]}}, {"group_access": {"50": [1]}}, "verified", 2),
        ({"start": PAST}, {"group_access": {"50": [2]}}, {"group_access": {"50": [1]}}, "audit", 1),
    ],
)
def test_a_learner_sees_what_every_ancestor_lets_through(root, chapter, leaf, mode, seen):
    tree = a_tree(root, chapter, leaf)
    assert list(Visible(tree, Viewer(mode=mode), NOW)) == ["course@c", "chapter@a", "html@h"][:seen]
    assert len(Visible(tree, Viewer(sees_all=True), NOW)) == 3


SETTINGS = st.sampled_from(
    [{}, {}, {}, {"start": FUTURE}, {"start": PAST}, {"visible_to_staff_only": True}, {"group_access": {"50": [2]}},
     {"group_access": {"50": [1, 2]}}, {"group_access": {"9": [1]}}]
)  # fmt: skip
CLOSED = Policy(audiences=[Applications(kind="applications", applications=["nobody"])])
OPEN = Policy(audiences=[Public(kind="public")])


@st.composite
def trees(draw) -> Tree:
    """Up to a dozen blocks below a root; some are listed by several others, by none, or above themselves."""
    names = ["course@c", *(f"html@{number}" for number in range(draw(st.integers(0, 12))))]
    nodes = {}
    for name in names:
        children = tuple(draw(st.lists(st.sampled_from([*names[1:], "html@gone"]), max_size=3)))
        settings = {"start": PAST} if name == "course@c" else draw(SETTINGS)
        nodes[name] = Node(name, name.split("@")[0], name, None, children, settings, None, None, 1)
    for node in nodes.values():
        for child in node.children:
            if child in nodes and nodes[child].parent is None:
                nodes[child].parent = node.block_id
    key = CourseKey.parse("course-v1:O+C+R")
    return Tree(key, key.canonical, "published", "0" * 24, 1, NOW, nodes)


@given(
    tree=trees(),
    mode=st.sampled_from([None, "audit", "verified"]),
    sees_all=st.booleans(),
    policies=st.dictionaries(st.integers(0, 12).map("html@{}".format), st.sampled_from([CLOSED, OPEN]), max_size=3),
)
def test_one_block_at_a_time_is_judged_as_all_of_them_together(tree, mode, sees_all, policies):
    viewer = Viewer(sees_all=sees_all, mode=mode, policies=policies)
    together = set(Visible(tree, viewer, NOW))
    asked = Visible(tree, viewer, NOW)
    assert {name for name in [*tree.nodes, "html@gone"] if name in asked} == together
