"""A difference between two versions, as a person would tell it."""

import pytest

from common.keys import CourseKey
from content.history.diff import describe
from content.history.queries import Form, Pair

COURSE = CourseKey.parse("course-v1:Org+Demo+1")


def form(block_type="html", *, parent="vertical@v", definition=None, settings=None, children=(), extra=None) -> Form:
    return Form(block_type, parent, definition, settings or {}, tuple(children), extra)


def told(*pairs: Pair, fields=None) -> dict:
    return describe(COURSE, pairs, fields or {})


def names(lines) -> list[str]:
    return [line["id"].rpartition("@")[2] for line in lines]


def test_what_came_went_and_moved():
    said = told(
        Pair("html@new", None, form(settings={"display_name": "New"})),
        Pair("html@old", form(), None),
        Pair("html@wanderer", form(parent="vertical@v"), form(parent="vertical@w")),
    )["blocks"]
    assert names(said["added"]) == ["new"]
    assert said["added"][0]["display_name"] == "New"
    assert names(said["removed"]) == ["old"]
    assert said["changed"] == []
    (moved,) = said["moved"]
    assert (moved["from_parent"].rpartition("@")[2], moved["parent"].rpartition("@")[2]) == ("v", "w")


def test_fields_are_told_by_scope_and_only_where_they_differ():
    one, other = (
        form(definition=b"a", settings={"x": 1, "same": [1], "gone": None}),
        form(definition=b"b", settings={"x": True, "same": [1]}, extra={"k": 1}),
    )
    fields = {b"a": {"data": "<p>", "kept": 1}, b"b": {"data": "<b>", "kept": 1}}
    (line,) = told(Pair("html@h", one, other), fields=fields)["blocks"]["changed"]
    assert line["fields"] == [
        {"scope": "content", "field": "data", "from": "<p>", "to": "<b>"},
        {"scope": "settings", "field": "gone", "from": None},
        {"scope": "settings", "field": "x", "from": 1, "to": True},
        {"scope": "extra", "field": "k", "to": 1},
    ]


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        ("abc", "abc", ""),
        ("abc", "acb", "c"),
        ("abcde", "eabcd", "e"),
        ("abcde", "bcdea", "a"),
        ("abc", "cab", "c"),
        ("abc", "axbc", ""),
        ("abc", "ac", ""),
        ("abcd", "dcba", "bcd"),
    ],
)
def test_of_children_in_another_order_the_fewest_have_moved(before, after, moved):
    def parent(order: str) -> Form:
        return form("vertical", parent="sequential@s", children=[f"html@{name}" for name in order])

    said = told(Pair("vertical@v", parent(before), parent(after)))["blocks"]
    assert len(said["moved"]) == len(moved)
    if len(moved) == 1:
        assert names(said["moved"]) == [moved]
        assert said["moved"][0]["to_index"] == after.index(moved)
    changed = set(before) != set(after)
    assert bool(said["changed"]) is changed


def test_pages_assets_and_files_are_told_apart():
    said = told(
        Pair("static_tab@t", None, form("static_tab", parent=None)),
        Pair("$asset@a.png", form("$asset", parent=None, settings={"locked": False}),
             form("$asset", parent=None, settings={"locked": True})),
        Pair("$file@policies/p.json", form("$file", parent=None, definition=b"1"), None),
    )  # fmt: skip
    assert names(said["pages"]["added"]) == ["t"]
    assert said["assets"]["changed"] == [
        {"name": "a.png", "fields": [{"scope": "settings", "field": "locked", "from": False, "to": True}]}
    ]
    assert said["files"]["removed"] == [{"path": "policies/p.json"}]
    assert said["blocks"] == {"added": [], "removed": [], "moved": [], "changed": []}
