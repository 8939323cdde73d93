"""Going back to a version."""

import pytest

from common.database import raw
from common.keys import CourseKey
from content.versions.branches import Block
from content.versions.editing import open_edit
from content.versions.errors import VersionNotFound
from content.versions.models import ASSET, DRAFT, PUBLISHED
from content.versions.operations import Author
from content.versions.publishing import publish_itself, remove
from content.versions.queries import find_head_tree, find_heads, is_different
from content.versions.reverting import revert

COURSE = CourseKey.parse("course-v1:Org+Demo+1")


@pytest.fixture
def edit(resources, demo):
    async def run(change):
        async with resources.sessions.begin() as session:
            opened = await open_edit(await raw(session), COURSE, Author(7, "writer", "revert"))
            await change(opened)
            return await opened.save(session)

    return run


async def mess_up(edit):
    """A unit gone, a page changed, a sequential renamed, an asset exchanged and another added."""
    await remove(edit, "vertical@u1")
    for block_id in ("html@intro", "sequential@a", "static_tab@syllabus"):
        if block := await edit.draft.find(block_id):
            edit.draft.put(block.changed(settings={"display_name": "Changed"}))
            await publish_itself(edit, block_id)
    edit.put_everywhere(Block(f"{ASSET}@pics_a_b.png", ASSET, settings={"digest": "1" * 64}))
    edit.put_everywhere(Block(f"{ASSET}@new.png", ASSET, settings={"digest": "2" * 64}))
    edit.draft.put(Block("chapter@extra", "chapter", "course@course"))
    root = await edit.draft.root()
    edit.draft.put(root.changed(children=(*root.children, "chapter@extra")))
    await publish_itself(edit, "chapter@extra")


@pytest.mark.parametrize("branch", [DRAFT, PUBLISHED])
async def test_reverting_to_a_version_of_either_branch_makes_the_draft_that_again(edit, resources, branch):
    first = await find_heads(resources.pool, COURSE.canonical)
    messed = await edit(mess_up)
    assert await is_different(resources.pool, messed.guid, first[branch])
    saved = await edit(lambda edit: revert(edit, first[branch]))
    assert saved.changed == {DRAFT, PUBLISHED}
    assert not await is_different(resources.pool, saved.guid, first[branch])
    # assets, pages and sequentials have no draft state: they are back for learners too
    assert not await is_different(resources.pool, saved.published_guid, first[PUBLISHED])
    again = await edit(lambda edit: revert(edit, messed.guid))
    assert not await is_different(resources.pool, again.guid, messed.guid)
    assert not await is_different(resources.pool, again.published_guid, messed.published_guid)


async def test_reverting_to_what_stands_makes_no_version(edit, resources):
    heads = await find_heads(resources.pool, COURSE.canonical)
    for guid in heads.values():
        assert not await edit(lambda edit, guid=guid: revert(edit, guid))


async def test_units_go_back_for_learners_only_when_they_are_published(edit, resources):
    async def change(edit):
        edit.draft.put((await edit.draft.get("html@intro")).changed(settings={"a": 1}))

    first = await find_heads(resources.pool, COURSE.canonical)
    await edit(change)
    saved = await edit(lambda edit: revert(edit, first[DRAFT]))
    assert saved.changed == {DRAFT}
    tree = await find_head_tree(resources.pool, COURSE.canonical, DRAFT)
    assert tree.nodes["html@intro"].settings == {}


@pytest.mark.parametrize("guid", ["0" * 24, "f" * 32, ""])
async def test_an_unknown_version_is_refused(edit, guid):
    with pytest.raises(VersionNotFound):
        await edit(lambda edit: revert(edit, guid))
