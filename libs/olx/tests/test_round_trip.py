"""What would differ after import, export and import."""

from typing import cast

from common.keys import CourseKey
from olx.model import Block, Course
from olx.round_trip import Difference, compare, round_trip
from olx.snapshot import Snapshot, to_snapshot
from olx.testing import read_body
from olx.values import Json

KEY = CourseKey("Other", "Course", "Run")


def snapshot_of(course: Course) -> Snapshot:
    return to_snapshot(course, KEY)


def course() -> Course:
    return read_body(
        '<vertical url_name="v" display_name="V"><html url_name="h">x</html></vertical>',
        {
            "static/a b/c.txt": "1",
            "tags.csv": "a",
            "drafts/html/d.xml": '<html parent_url="i4x://O/C/vertical/v" index_in_children_list="0">new</html>',
        },
    )[0]


def test_what_was_read_comes_back_as_it_is() -> None:
    found = round_trip(snapshot_of(course()))
    assert found.is_equal
    assert found.to_json() == {"equal": True, "count": 0, "differences": [], "changed_files": []}


def test_what_settles_at_the_first_export_is_told() -> None:
    edited = course()
    edited.blocks["problem@p"] = Block("problem", "p", {"data": "<problem><br></br>\r</problem>"}, {})
    edited.blocks["vertical@v"].children.append("problem@p")
    found = round_trip(snapshot_of(edited))
    assert [(one.kind, one.key, one.part) for one in found.differences] == [("block", "problem@p", "fields.data")]
    assert found.differences[0].before == '"<problem><br></br>\\r</problem>"'
    assert found.changed_files == []


def test_what_cannot_be_written_is_told() -> None:
    edited = course()
    edited.blocks["html@a::b"] = Block("html", "a::b", {"data": "x"})
    edited.blocks["vertical@v"].children.append("html@a::b")
    found = round_trip(snapshot_of(edited))
    assert not found.is_equal
    assert [one.kind for one in found.differences] == ["export"]


def test_an_orphan_is_told() -> None:
    edited = course()
    edited.blocks["html@lost"] = Block("html", "lost", {"data": "x"})
    assert round_trip(snapshot_of(edited)).differences == [Difference("block", "html@lost", "", "there", None)]


def test_two_courses_are_compared_part_by_part() -> None:
    before, after = course(), course()
    assert list(compare(before, after)) == []
    after.run = "S"
    after.blocks["vertical@v"].settings = {"display_name": "W", "due": None}
    after.blocks["vertical@v"].children = []
    after.blocks["html@h"].xml_attributes = {"a": "1"}
    after.drafts["html@d"].index = 4
    after.assets["a_b_c.txt"].locked = True
    after.files = {}
    assert [(one.kind, one.part, one.before, one.after) for one in compare(before, after)] == [
        ("course", "run", '"R"', '"S"'),
        ("block", "settings.display_name", '"V"', '"W"'),
        ("block", "settings.due", None, "null"),
        ("block", "children", '["html@h"]', "[]"),
        ("block", "attributes.a", None, '"1"'),
        ("draft", "index", "0", "4"),
        ("asset", "locked", "false", "true"),
        ("file", "tags.csv", '"a"', None),
    ]


def test_a_long_list_is_cut_and_counted() -> None:
    edited = course()
    for number in range(600):
        edited.blocks[f"html@lost{number}"] = Block("html", f"lost{number}", {"data": "x"})
    answer = round_trip(snapshot_of(edited)).to_json()
    assert (answer["count"], len(cast("list[Json]", answer["differences"]))) == (600, 500)
