"""Writing a course for export: exactly as a branch or version has it, and not at all when nothing changed."""

import pytest

from common.testing.identity import a_caller


async def test_what_went_in_comes_out(bus, demo):
    demo.block("vertical@u4", display_name="Soon", draft={"parent": "sequential@a", "index": 1})
    demo.block("html@intro", data="<p>Draft</p>", draft={"parent": "vertical@u1", "index": 0})
    demo.blocks["gizmo@thing"]["extra"] = {"xml_attributes": {"odd": "1"}}
    await bus.import_course(demo)
    answer = await bus.snapshot()
    assert answer.outcome == "done"
    assert answer.counts == {"blocks": 15, "drafts": 2, "assets": 1, "files": 1}
    written, expected = await bus.read_snapshot(answer), demo.document()
    assert written == expected
    assert list(written["blocks"])[:3] == ["course@course", "chapter@one", "sequential@a"]


async def test_a_branch_by_name_is_written_as_the_tree_it_is(bus, demo):
    demo.block("html@intro", data="<p>Draft</p>", draft={"parent": "vertical@u1", "index": 0})
    await bus.import_course(demo)
    draft = await bus.read_snapshot(await bus.snapshot(branch="draft"))
    published = await bus.read_snapshot(await bus.snapshot(branch="published"))
    assert draft["drafts"] == published["drafts"] == {}
    assert draft["blocks"]["html@intro"]["fields"] == {"data": "<p>Draft</p>"}
    assert published["blocks"]["html@intro"]["fields"]["data"].startswith("<p>Hello")


async def test_the_version_the_asker_has_is_not_written_again(bus, demo):
    first = await bus.snapshot()
    for branch, guid in (
        ("published", first.published_guid),
        ("draft", first.draft_guid),
        (None, first.published_guid),
    ):
        answer = await bus.snapshot(branch=branch, if_not_version=guid)
        assert (answer.outcome, answer.snapshot) == ("unchanged", None)
        assert (answer.published_guid, answer.draft_guid) == (first.published_guid, first.draft_guid)


@pytest.mark.parametrize(
    ("by", "said", "code"),
    [
        (a_caller("stranger"), {}, "permission_denied"),
        (a_caller("robot", staff=True), {"version": "0" * 24}, "version_not_found"),
        (a_caller("robot", staff=True), {"version": "nonsense"}, "version_not_found"),
        (a_caller("robot", staff=True), {"course_id": "course-v1:No+Such+1"}, "not_found"),
        (a_caller("robot", staff=True), {"course_id": "nonsense"}, "bad_course_key"),
    ],
)
async def test_refusals(bus, demo, by, said, code):
    assert (await bus.snapshot(by=by, **said)).code == code
