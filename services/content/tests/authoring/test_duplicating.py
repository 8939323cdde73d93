"""Copying blocks."""

import pytest

from common.keys import CourseKey
from common.testing.identity import a_caller
from content.versions.models import PUBLISHED

OTHER = CourseKey.parse("course-v1:Org+Other+1")


async def copy(studio, source, parent, **more):
    body = {"duplicate_source_locator": studio.key(source), "parent_locator": studio.key(parent), **more}
    answer = await studio.ok("POST", None, body)
    assert answer.json()["courseKey"] == "course-v1:Org+Demo+1"
    return studio.local(answer.json()["locator"])


async def test_a_copy_is_deep_has_new_names_and_stands_right_after_its_source(studio):
    unit = await copy(studio, "vertical@u1", "sequential@a")
    tree = await studio.tree()
    assert tree.nodes["sequential@a"].children == ("vertical@u1", unit, "vertical@u2")
    one, other = (list(tree.walk(name)) for name in ("vertical@u1", unit))
    assert [node.type for node in one] == [node.type for node in other]
    assert not {node.block_id for node in one} & {node.block_id for node in other}
    assert [node.definition for node in one] == [node.definition for node in other]
    assert tree.nodes[unit].settings == {"display_name": "Duplicate of 'Unit 1'"}
    assert [node.settings for node in one[1:]] == [node.settings for node in other[1:]]
    assert all(tree.nodes[child].parent == unit for child in tree.nodes[unit].children)
    assert unit not in (await studio.tree(PUBLISHED)).nodes


@pytest.mark.parametrize(
    ("source", "given", "name"),
    [
        ("video@film", {}, "Duplicate of 'Film'"),
        ("html@intro", {}, "Duplicate of html"),
        ("video@film", {"display_name": "Other"}, "Other"),
        ("html@intro", {"display_name": ""}, ""),
    ],
)
async def test_the_copys_name(studio, source, given, name):
    block_id = await copy(studio, source, "vertical@u1", **given)
    assert (await studio.tree()).nodes[block_id].settings["display_name"] == name


async def test_a_copy_in_another_parent_is_its_last_child(studio):
    block_id = await copy(studio, "html@intro", "vertical@u2")
    assert (await studio.tree()).nodes["vertical@u2"].children == ("problem@sum", block_id)


async def test_a_copied_chapter_is_published_without_its_units(studio):
    chapter = await copy(studio, "chapter@one", "course@course")
    draft, published = await studio.both()
    assert published.nodes["course@course"].children == ("chapter@one", chapter, "chapter@two")
    sequential = draft.nodes[chapter].children[0]
    assert published.nodes[chapter].children == (sequential,)
    assert len(draft.nodes[sequential].children) == 2
    assert published.nodes[sequential].children == ()


async def test_a_block_can_be_copied_below_itself(studio):
    block_id = await copy(studio, "vertical@u1", "vertical@u1")
    tree = await studio.tree()
    assert tree.nodes["vertical@u1"].children[-1] == block_id
    assert len(tree.nodes[block_id].children) == 2


async def test_a_copy_from_another_course_shares_its_content_and_needs_its_team(studio, bus, a_draft):
    await bus.import_course(a_draft(OTHER))
    definitions = (await studio.state())["definition"]
    body = {
        "duplicate_source_locator": studio.key("vertical@u1", str(OTHER)),
        "parent_locator": studio.key("sequential@b"),
    }
    answer = await studio.ok("POST", None, body)
    tree = await studio.tree()
    block_id = studio.local(answer.json()["locator"])
    assert tree.nodes["sequential@b"].children[-1] == block_id
    assert (await studio.state())["definition"] == definitions
    guest = a_caller("guest")
    await bus.account(guest)
    added = await studio.ok(
        "PUT", "course-v1:Org+Demo+1/guest", {"role": "staff"}, prefix="/api/content/v1/course_team"
    )
    assert added.status_code in (200, 201, 204)
    await studio.ok("PUT", "html@intro", {"metadata": {"a": 1}}, caller=guest)
    await studio.refused(403, "POST", None, body, caller=guest)


@pytest.mark.parametrize("source", ["course@course", "html@nowhere"])
async def test_what_cannot_be_copied_is_refused(studio, source):
    body = {"duplicate_source_locator": studio.key(source), "parent_locator": studio.key("vertical@u1")}
    await studio.refused(404 if source == "html@nowhere" else 400, "POST", None, body)
    await studio.refused(400, "POST", None, {"duplicate_source_locator": studio.key("html@intro")})
