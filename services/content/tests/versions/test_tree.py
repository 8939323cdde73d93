"""Inheritance and walking."""

from datetime import UTC, datetime

from common.keys import CourseKey
from content.versions.tree import Node, Tree


def a_tree(**blocks: tuple[str | None, list[str], dict]) -> Tree:
    nodes: dict[str, Node] = {}
    for name, (parent, children, settings) in blocks.items():
        block_type, block_id = name.split("__")
        local = f"{block_type}@{block_id}"
        nodes[local] = Node(local, block_type, block_id, parent, tuple(children), settings, None, None, 1)
    return Tree(
        CourseKey.parse("course-v1:O+C+R"), "course-v1:O+C+R", "published", "0" * 24, 1, datetime.now(UTC), nodes
    )


def test_the_nearest_ancestor_wins_and_null_is_a_value():
    tree = a_tree(
        course__c=(None, ["chapter@a"], {"due": "1", "graded": True, "display_name": "C", "format": "Exam"}),
        chapter__a=("course@c", ["sequential@b"], {"due": "2", "graded": None}),
        sequential__b=("chapter@a", [], {}),
    )
    leaf = tree.nodes["sequential@b"]
    assert leaf.setting("due") == "2"
    assert leaf.setting("graded", "default") is None
    assert leaf.setting("format", "none") == "none"
    assert leaf.setting("showanswer", "finished") == "finished"
    assert tree.nodes["chapter@a"].setting("due") == "2"
    assert tree.nodes["course@c"].setting("due") == "1"


def test_orphans_are_not_in_the_order_and_missing_children_are_passed_over():
    tree = a_tree(
        course__c=(None, ["chapter@a", "chapter@gone"], {}),
        chapter__a=("course@c", [], {}),
        html__orphan=(None, [], {}),
    )
    assert list(tree.order) == ["course@c", "chapter@a"]


def test_a_block_with_two_parents_inherits_from_its_own_even_when_met_first_below_the_other():
    tree = a_tree(
        course__c=(None, ["chapter@a", "chapter@b"], {}),
        chapter__a=("course@c", ["html@h"], {"due": "a"}),
        chapter__b=("course@c", ["html@h"], {"due": "b"}),
        html__h=("chapter@b", [], {}),
    )
    assert tree.nodes["html@h"].setting("due") == "b"


def test_a_circle_ends():
    tree = a_tree(
        course__c=(None, ["chapter@a"], {}),
        chapter__a=("chapter@b", ["chapter@b"], {}),
        chapter__b=("chapter@a", ["chapter@a"], {}),
    )
    assert set(tree.order) == {"course@c", "chapter@a", "chapter@b"}
