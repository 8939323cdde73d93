"""Deleting blocks, and taking them from learners."""

from content.versions.models import PUBLISHED

B = "block-v1:Org+Demo+1+type@"


async def test_a_unit_goes_from_the_draft_and_stays_published_until_its_parent_is(studio):
    answer = await studio.ok("DELETE", "vertical@u1")
    assert (answer.status_code, answer.content) == (204, b"")
    draft, published = await studio.both()
    assert not {"vertical@u1", "html@intro", "video@film"} & draft.nodes.keys()
    assert draft.nodes["sequential@a"].children == ("vertical@u2",)
    assert {"vertical@u1", "html@intro", "video@film"} <= published.order.keys()
    await studio.put("sequential@a", metadata={"due": "2026-01-01T00:00:00Z"})
    assert "html@intro" in (await studio.tree(PUBLISHED)).order
    await studio.put("sequential@a", publish="make_public")
    assert not {"vertical@u1", "html@intro"} & (await studio.tree(PUBLISHED)).nodes.keys()


async def test_a_block_without_a_draft_state_goes_from_both_branches(studio):
    await studio.ok("DELETE", "sequential@a")
    for tree in await studio.both():
        assert tree.nodes["chapter@one"].children == ()
        assert not {"sequential@a", "vertical@u1", "html@intro"} & tree.nodes.keys()
    await studio.ok("DELETE", "about@effort")
    for tree in await studio.both():
        assert "about@effort" not in tree.nodes


async def test_all_versions_deletes_what_is_published_too(studio):
    await studio.ok("DELETE", f"{B}vertical+block@u1?all_versions=true")
    for tree in await studio.both():
        assert not {"vertical@u1", "html@intro"} & tree.nodes.keys()
        assert tree.nodes["sequential@a"].children == ("vertical@u2",)


async def test_recurse_false_refuses_when_there_are_children(studio):
    await studio.refused(409, "DELETE", f"{B}vertical+block@u1?recurse=false")
    await studio.ok("DELETE", f"{B}html+block@intro?recurse=false")
    await studio.ok("DELETE", f"{B}vertical+block@u1?recurse=true")
    await studio.refused(400, "DELETE", f"{B}vertical+block@u2?recurse=perhaps")


async def test_a_static_tab_takes_its_tab_along(studio):
    block_id = await studio.create("course@course", "static_tab", display_name="FAQ")
    await studio.ok("DELETE", block_id)
    for tree in await studio.both():
        assert {tab["type"] for tab in tree.nodes["course@course"].settings["tabs"]} == {
            "course_info", "courseware", "textbooks", "discussion", "wiki", "progress",
        }  # fmt: skip


async def test_the_root_and_what_is_not_there_cannot_be_deleted(studio):
    answer = await studio.refused(400, "DELETE", "course@course")
    assert "root" in answer.json()["error"]
    answer = await studio.refused(404, "DELETE", "html@nowhere")
    assert answer.json()["error"] == f"Can't find item by location: {B}html+block@nowhere"
    await studio.ok("DELETE", "html@intro")
    await studio.refused(404, "DELETE", "html@intro")


async def test_on_the_published_branch_a_deletion_takes_the_block_from_learners_only(studio):
    place = "block-v1:Org+Demo+1+branch@published-branch+type@vertical+block@u1"
    before = (await studio.tree()).guid
    await studio.ok("DELETE", place)
    draft, published = await studio.both()
    assert draft.guid == before
    assert not {"vertical@u1", "html@intro"} & published.nodes.keys()
    await studio.refused(404, "DELETE", place)


async def test_a_parent_that_shared_what_is_gone_names_it_no_more(studio, bus, demo):
    demo.blocks["vertical@u2"]["children"] = ["html@intro", "problem@sum"]
    assert (await bus.import_course(demo)).outcome == "done"
    await studio.ok("DELETE", "vertical@u1")
    read = (await studio.ok("GET", "vertical@u2")).json()
    assert read["children"] == [studio.key("problem@sum")]
    container = (await studio.ok("GET", "container/" + studio.key("vertical@u2"))).json()
    assert container["children"] == read["children"]
    await studio.put("vertical@u2", children=read["children"])
    assert (await studio.tree()).nodes["vertical@u2"].children == ("problem@sum",)
    await studio.ok("DELETE", "problem@sum")
    assert (await studio.ok("GET", "vertical@u2")).json()["has_children"] is False
