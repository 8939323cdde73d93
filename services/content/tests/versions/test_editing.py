"""The editing engine: what an edit reads, writes, refuses and announces."""

import asyncio

import pytest

from common.database import raw
from common.keys import CourseKey
from content.versions.branches import Block, new_block_id, says_the_same
from content.versions.editing import open_edit
from content.versions.errors import BlockUnknown, CourseGone, StaleMatch, VersionConflict
from content.versions.models import ASSET, DRAFT, FILE, PUBLISHED
from content.versions.operations import Author
from content.versions.queries import find_heads, get_version_tree, read_assets, read_files

COURSE = CourseKey.parse("course-v1:Org+Demo+1")
AUTHOR = Author(7, "writer", "edit")


@pytest.fixture
def edit(resources, demo):
    """Run one edit in a transaction of its own."""

    async def run(change, **how):
        async with resources.sessions.begin() as session:
            opened = await open_edit(await raw(session), COURSE, AUTHOR, **how)
            await change(opened)
            return await opened.save(session)

    return run


def setting(block_id, **settings):
    async def change(edit):
        block = await edit.draft.get(block_id)
        edit.draft.put(block.changed(settings={**block.settings, **settings}))

    return change


async def counts(resources):
    return dict(
        await resources.pool.fetchrow(
            "select (select count(*) from version) as versions, (select count(*) from block) as rows,"
            " (select count(*) from outbox) as announced, (select count(*) from definition) as definitions"
        )
    )


async def test_an_edit_makes_one_version_of_the_branch_that_changed_and_writes_what_changed(edit, resources):
    before, heads = await counts(resources), await find_heads(resources.pool, COURSE.canonical)
    saved = await edit(setting("html@intro", display_name="New"))
    after = await counts(resources)
    assert saved.changed == {DRAFT}
    assert saved.published_guid == heads[PUBLISHED]
    assert after == {**before, "versions": before["versions"] + 1, "rows": before["rows"] + 1}
    tree = await get_version_tree(resources.pool, saved.guid)
    assert tree.nodes["html@intro"].settings == {"display_name": "New"}
    old = await get_version_tree(resources.pool, heads[DRAFT])
    assert old.nodes["html@intro"].settings == {}


async def test_a_version_says_who_made_it_why_and_what_it_follows(edit, resources):
    before = (await find_heads(resources.pool, COURSE.canonical))[DRAFT]
    saved = await edit(setting("html@intro", a=1))
    row = await resources.pool.fetchrow("select * from version where guid = $1", bytes.fromhex(saved.guid))
    assert (row["edited_by"], row["editor"], row["reason"]) == (7, "writer", "edit")
    assert row["previous"].hex() == before
    first = await resources.pool.fetchrow("select * from version where guid = $1", bytes.fromhex(before))
    assert row["original"] == first["original"]


@pytest.mark.parametrize(
    "change",
    [
        {"display_name": "Film"},
        {},
    ],
)
async def test_an_edit_that_changes_nothing_makes_no_version_and_announces_nothing(edit, resources, change):
    before = await counts(resources)
    heads = await find_heads(resources.pool, COURSE.canonical)
    saved = await edit(setting("video@film", **change))
    assert not saved
    assert (saved.guid, saved.published_guid) == (heads[DRAFT], heads[PUBLISHED])
    assert await counts(resources) == before


async def test_changing_there_and_back_in_one_edit_is_no_change(edit, resources):
    before = await counts(resources)

    async def change(edit):
        block = await edit.draft.get("html@intro")
        edit.draft.drop("html@intro")
        assert await edit.draft.find("html@intro") is None
        edit.draft.put(block.changed(settings={"x": 1}))
        edit.draft.put(block.changed(settings={}))
        edit.define("html", {"data": "nobody refers to this"})

    assert not await edit(change)
    assert await counts(resources) == before


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), (0, False), ("1", 1), (None, "")])
def test_values_that_python_takes_for_equal_are_a_change(one, other):
    assert not says_the_same(
        Block("html@a", "html", settings={"a": one}), Block("html@a", "html", settings={"a": other})
    )


async def test_a_branch_shows_its_pending_changes(edit):
    async def change(edit):
        edit.draft.put(Block("html@new", "html", "vertical@u1"))
        unit = await edit.draft.get("vertical@u1")
        edit.draft.put(unit.changed(children=(*unit.children, "html@new")))
        assert list(await edit.draft.subtree("vertical@u1")) == ["vertical@u1", "html@intro", "video@film", "html@new"]
        line = [block.block_id for block in await edit.draft.ancestors("html@new")]
        assert line == ["vertical@u1", "sequential@a", "chapter@one", "course@course"]
        edit.draft.drop("video@film")
        assert "video@film" not in await edit.draft.subtree("vertical@u1")
        assert (await edit.draft.root()).block_id == "course@course"
        with pytest.raises(BlockUnknown):
            await edit.draft.get("video@film")

    assert await edit(change)


async def test_content_is_a_definition_stored_with_the_edit(edit, resources):
    async def change(edit):
        block = await edit.draft.get("html@intro")
        assert "Hello" in (await edit.fields_of(block))["data"]
        changed = block.changed(definition=edit.define("html", {"data": "<p>Bye</p>"}))
        assert await edit.fields_of(changed) == {"data": "<p>Bye</p>"}
        assert await edit.fields_of(await edit.draft.get("vertical@u1")) == {}
        edit.draft.put(changed)

    before = await counts(resources)
    saved = await edit(change)
    assert (await counts(resources))["definitions"] == before["definitions"] + 1
    node = (await get_version_tree(resources.pool, saved.guid)).nodes["html@intro"]
    assert await resources.pool.fetchval("select fields from definition where guid = $1", node.definition) == {
        "data": "<p>Bye</p>"
    }


async def test_assets_and_files_are_written_on_both_branches_and_announced_once(edit, resources, bus):
    async def change(edit):
        edit.put_everywhere(Block(f"{ASSET}@a.png", ASSET, settings={"digest": "0" * 64}))
        edit.put_everywhere(Block(f"{FILE}@policies/x.json", FILE, definition=edit.define(FILE, {"text": "{}"})))
        edit.drop_everywhere(f"{FILE}@policies/grading_policy.json")

    announced = len(await bus.announced("content.course.published.v1"))
    saved = await edit(change)
    assert saved.changed == {DRAFT, PUBLISHED}
    for guid in (saved.guid, saved.published_guid):
        assert "a.png" in await read_assets(resources.pool, guid)
        assert await read_files(resources.pool, guid) == {"policies/x.json": "{}"}
    messages = await bus.announced("content.course.published.v1")
    assert len(messages) == announced + 1
    assert (messages[-1]["guid"], messages[-1]["draft_guid"]) == (saved.published_guid, saved.guid)


@pytest.mark.parametrize("which", [["x", "{draft}"], ["*"], None])
async def test_if_match_lets_the_current_version_through(edit, resources, which):
    heads = await find_heads(resources.pool, COURSE.canonical)
    match = [guid.format(**heads) for guid in which] if which else None
    assert await edit(setting("html@intro", a=1), if_match=match)


async def test_a_stale_version_is_refused_with_the_current_one_and_changes_nothing(edit, resources):
    stale = (await find_heads(resources.pool, COURSE.canonical))[DRAFT]
    current = (await edit(setting("html@intro", a=1))).guid
    before = await counts(resources)
    for how, refusal, status in (
        ({"if_match": [stale]}, StaleMatch, 412), ({"version": stale}, VersionConflict, 409)
    ):  # fmt: skip
        with pytest.raises(refusal) as refused:
            await edit(setting("html@intro", a=2), **how)
        assert (refused.value.status, refused.value.extra) == (status, {"current_version": current})
    assert await counts(resources) == before
    assert await edit(setting("html@intro", a=2), version=current)


async def test_a_deleted_or_unknown_course_is_not_edited(edit, resources):
    async with resources.sessions.begin() as session:
        with pytest.raises(CourseGone):
            await open_edit(await raw(session), CourseKey("Org", "None", "1"), AUTHOR)
    await resources.pool.execute("update course set deleted_at = now()")
    with pytest.raises(CourseGone):
        await edit(setting("html@intro", a=1))


async def test_writers_at_once_wait_for_each_other_and_none_is_lost(edit, resources):
    async def count_up(edit):
        block = await edit.draft.get("html@intro")
        edit.draft.put(block.changed(settings={"n": block.settings.get("n", 0) + 1}))

    before = await counts(resources)
    await asyncio.gather(*(edit(count_up) for _ in range(8)))
    guid = (await find_heads(resources.pool, COURSE.canonical))[DRAFT]
    assert (await get_version_tree(resources.pool, guid)).nodes["html@intro"].settings == {"n": 8}
    assert (await counts(resources))["versions"] == before["versions"] + 8


def test_new_block_ids_are_of_their_type_and_differ():
    ids = {new_block_id("html") for _ in range(100)}
    assert len(ids) == 100
    assert all(name.startswith("html@") and len(name) == 37 for name in ids)
