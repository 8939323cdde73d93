"""Publish, discard, unpublish, delete: what learners read after a change of the draft."""

import pytest

from common.database import raw
from common.keys import CourseKey
from content.versions.branches import Block
from content.versions.editing import open_edit
from content.versions.errors import BlockUnknown, NeverPublished, ParentNotPublished, RootStays
from content.versions.models import DRAFT, PUBLISHED
from content.versions.operations import Author
from content.versions.publishing import (
    changed_blocks,
    discard,
    has_changes,
    publish,
    publish_itself,
    remove,
    unlist,
    unpublish,
)
from content.versions.queries import find_head_tree

COURSE = CourseKey.parse("course-v1:Org+Demo+1")


@pytest.fixture
def edit(resources, demo):
    async def run(*changes):
        async with resources.sessions.begin() as session:
            opened = await open_edit(await raw(session), COURSE, Author(7, "writer", "edit"))
            for change in changes:
                await change(opened)
            return await opened.save(session)

    return run


@pytest.fixture
def trees(resources):
    async def read():
        draft = await find_head_tree(resources.pool, COURSE.canonical, DRAFT)
        published = await find_head_tree(resources.pool, COURSE.canonical, PUBLISHED)
        return shape(draft), shape(published)

    return read


def shape(tree):
    return {name: (node.parent, node.children, node.settings) for name, node in tree.nodes.items()}


def does(operation, *arguments, **named):
    return lambda edit: operation(edit, *arguments, **named)


def set_to(block_id, **settings):
    async def change(edit):
        edit.draft.put((await edit.draft.get(block_id)).changed(settings=settings))

    return change


def add(block_id, parent):
    async def change(edit):
        edit.draft.put(Block(block_id, block_id.partition("@")[0], parent))
        above = await edit.draft.get(parent)
        edit.draft.put(above.changed(children=(*above.children, block_id)))

    return change


def move(block_id, parent):
    async def change(edit):
        block = await edit.draft.get(block_id)
        await unlist(edit, block.parent, block_id)
        above = await edit.draft.get(parent)
        edit.draft.put(above.changed(children=(*above.children, block_id)))
        edit.draft.put(block.changed(parent=parent))

    return change


async def test_publishing_a_unit_copies_its_subtree_and_leaves_the_draft(edit, trees, resources):
    await edit(set_to("html@intro", a=1), set_to("problem@sum", b=2))
    draft_before = (await trees())[0]
    saved = await edit(does(publish, "vertical@u1"))
    draft, published = await trees()
    assert saved.changed == {PUBLISHED}
    assert draft == draft_before
    assert published["html@intro"][2] == {"a": 1}
    assert published["problem@sum"][2] != {"b": 2}
    stamp = await resources.pool.fetchrow(
        "select p.source_version, d.from_version from block p join branch pb on pb.id = p.branch_id and pb.name ="
        " 'published' join branch db on db.course_key = pb.course_key and db.name = 'draft' join block d on d.branch_id"
        " = db.id and d.block_id = p.block_id and d.to_version is null where p.block_id = 'html@intro'"
        " and p.to_version is null"
    )
    assert stamp["source_version"] == stamp["from_version"]


async def test_publishing_twice_makes_no_second_version(edit):
    await edit(set_to("html@intro", a=1))
    assert await edit(does(publish, "vertical@u1"))
    assert not await edit(does(publish, "vertical@u1"))
    assert not await edit(does(publish, "course@course"))


async def test_a_new_unit_appears_where_the_draft_has_it_when_it_is_published(edit, trees):
    await edit(add("vertical@u9", "sequential@a"), does(publish_itself, "sequential@a"), add("html@x", "vertical@u9"))
    draft, published = await trees()
    assert published["sequential@a"][1] == ("vertical@u1", "vertical@u2")
    assert "vertical@u9" not in published
    await edit(does(publish, "vertical@u9"))
    draft, published = await trees()
    assert published["sequential@a"] == draft["sequential@a"]
    assert published["html@x"] == draft["html@x"]


async def test_a_block_in_an_unpublished_unit_is_not_published_alone(edit):
    await edit(add("vertical@u9", "sequential@a"), add("html@x", "vertical@u9"))
    with pytest.raises(ParentNotPublished):
        await edit(does(publish, "html@x"))
    with pytest.raises(BlockUnknown):
        await edit(does(publish, "html@nowhere"))


async def test_a_block_of_a_direct_only_type_publishes_itself_without_its_children(edit, trees):
    await edit(
        set_to("sequential@a", display_name="New"), set_to("vertical@u1", display_name="Draft"),
        does(publish_itself, "sequential@a"), does(publish_itself, "vertical@u1"),
    )  # fmt: skip
    _, published = await trees()
    assert published["sequential@a"][2] == {"display_name": "New"}
    assert published["vertical@u1"][2] == {"display_name": "Unit 1"}


async def test_a_new_chapter_is_published_at_once_in_the_order_of_the_draft(edit, trees):
    async def first(edit):
        edit.draft.put(Block("chapter@zero", "chapter", "course@course"))
        root = await edit.draft.get("course@course")
        edit.draft.put(root.changed(children=("chapter@zero", *root.children)))

    await edit(first, does(publish_itself, "chapter@zero"))
    assert (await trees())[1]["course@course"][1] == ("chapter@zero", "chapter@one", "chapter@two")


async def test_a_deleted_unit_stays_published_until_its_parent_is(edit, trees):
    saved = await edit(does(remove, "vertical@u1"), does(publish_itself, "sequential@a"))
    assert saved.changed == {DRAFT}
    draft, published = await trees()
    assert not {"vertical@u1", "html@intro", "video@film"} & draft.keys()
    assert draft["sequential@a"][1] == ("vertical@u2",)
    assert published["sequential@a"][1] == ("vertical@u1", "vertical@u2")
    await edit(does(publish, "sequential@a"))
    draft, published = await trees()
    assert published["sequential@a"] == draft["sequential@a"]
    assert not {"vertical@u1", "html@intro", "video@film"} & published.keys()


async def test_a_deleted_chapter_goes_from_both_branches_with_all_below_it(edit, trees):
    assert (await edit(does(remove, "chapter@one"))).changed == {DRAFT, PUBLISHED}
    for tree in await trees():
        assert tree["course@course"][1] == ("chapter@two",)
        assert not {"chapter@one", "sequential@a", "vertical@u1", "html@intro"} & tree.keys()


async def test_the_root_can_be_neither_deleted_nor_unpublished(edit):
    for operation in (remove, unpublish):
        with pytest.raises(RootStays):
            await edit(does(operation, "course@course"))


async def test_a_moved_unit_moves_for_learners_when_it_is_published_and_is_never_in_two_places(edit, trees):
    await edit(move("vertical@u1", "sequential@b"))
    _, published = await trees()
    assert published["sequential@a"][1] == ("vertical@u1", "vertical@u2")
    await edit(does(publish, "vertical@u1"))
    draft, published = await trees()
    assert published == draft


async def test_discard_takes_back_changes_additions_deletions_and_moves(edit, trees):
    before = (await trees())[0]
    await edit(
        set_to("vertical@u1", display_name="X"), set_to("html@intro", a=1), add("html@x", "vertical@u1"),
        move("video@film", "vertical@u2"),
    )  # fmt: skip
    await edit(does(discard, "vertical@u1"))
    assert (await trees())[0] == before
    await edit(does(remove, "html@intro"))
    await edit(does(discard, "vertical@u1"))
    assert (await trees())[0] == before


async def test_discard_brings_a_moved_unit_back_to_its_place(edit, trees):
    before = (await trees())[0]
    await edit(move("vertical@u1", "sequential@b"))
    await edit(does(discard, "vertical@u1"))
    assert (await trees())[0] == before


async def test_discard_of_what_was_never_published_is_refused(edit):
    await edit(add("vertical@u9", "sequential@a"))
    with pytest.raises(NeverPublished):
        await edit(does(discard, "vertical@u9"))
    with pytest.raises(BlockUnknown):
        await edit(does(discard, "vertical@u10"))


@pytest.mark.parametrize("block", ["vertical@u1", "chapter@one", "html@intro", "static_tab@syllabus"])
async def test_unpublishing_takes_a_subtree_from_learners_and_keeps_the_draft(edit, trees, block):
    before, _ = await trees()
    assert (await edit(does(unpublish, block))).changed == {PUBLISHED}
    draft, published = await trees()
    assert draft == before
    assert block not in published
    assert all(block not in children for _, children, _ in published.values())
    await edit(does(publish, block))
    assert (await trees())[1] == draft


async def test_has_changes_is_told_of_any_block_below(edit, resources):
    async def changed():
        blocks = ("course@course", "chapter@one", "vertical@u1", "html@intro", "vertical@u2", "chapter@two")
        return [block for block in blocks if await has_changes(resources.pool, COURSE.canonical, block)]

    assert await changed() == []
    await edit(set_to("html@intro", a=1))
    assert await changed() == ["course@course", "chapter@one", "vertical@u1", "html@intro"]
    assert await changed_blocks(resources.pool, COURSE.canonical) == {"html@intro"}
    await edit(does(publish, "vertical@u1"))
    assert await changed() == []
    await edit(does(remove, "vertical@u1"))
    assert await changed() == ["course@course", "chapter@one"]
