"""Trees kept in the process, and the parts of trees that stand in for them where one block is asked for."""

import pytest

from common.keys import CourseKey
from content.versions.cache import TreeCache
from content.versions.errors import VersionNotFound
from content.versions.models import DRAFT
from content.versions.queries import find_head_part, find_heads, get_version_part

COURSE = CourseKey.parse("course-v1:Org+Kept+1")


class Counting:
    """A pool that counts what is asked of it."""

    def __init__(self, pool):
        self._pool, self.asked = pool, 0

    async def fetch(self, query, *args):
        self.asked += 1
        return await self._pool.fetch(query, *args)


@pytest.fixture
async def pool(bus, a_draft):
    draft = a_draft(COURSE)
    draft.blocks = {}
    draft.block("course@course", "chapter@c", start="2020-01-01T00:00:00Z")
    draft.block("chapter@c", "sequential@s")
    draft.block("sequential@s", "vertical@u1", "vertical@u2", graded=True)
    for unit in ("u1", "u2"):
        draft.block(f"vertical@{unit}", f"html@{unit}a", f"html@{unit}b")
        for leaf in "ab":
            draft.block(f"html@{unit}{leaf}", data=f"<p>{unit}</p>")
    await bus.import_course(draft)
    return Counting(bus.resources.pool)


@pytest.fixture
async def head(pool, bus):
    return (await find_heads(bus.resources.pool, COURSE.canonical))[DRAFT]


async def test_a_part_is_the_block_with_what_is_above_and_below_it_and_what_it_inherits(pool, head):
    part = await find_head_part(pool, COURSE.canonical, DRAFT, "vertical@u1")
    line = ["course@course", "chapter@c", "sequential@s", "vertical@u1", "html@u1a", "html@u1b"]
    assert set(part.nodes) == set(line)
    assert list(part.order) == line
    assert part.guid == head
    assert part.nodes["html@u1a"].setting("graded") is True
    assert part.nodes == (await get_version_part(pool, head, "vertical@u1")).nodes


@pytest.mark.parametrize("block_id", ["html@none", "$asset@picture.png", "course@other"])
async def test_the_part_of_no_block_holds_nothing(pool, head, block_id):
    assert (await find_head_part(pool, COURSE.canonical, DRAFT, block_id)).nodes == {}
    assert (await get_version_part(pool, head, block_id)).nodes == {}


async def test_a_course_or_version_that_is_not_there_has_no_parts(pool):
    assert await find_head_part(pool, "course-v1:Org+None+1", DRAFT, "html@u1a") is None
    with pytest.raises(VersionNotFound):
        await get_version_part(pool, "0" * 24, "html@u1a")


async def test_what_was_read_is_not_read_again_and_the_whole_tree_answers_for_its_parts(pool, head):
    trees = TreeCache(blocks=100)
    for _ in range(2):
        await trees.at_head(pool, COURSE.canonical, DRAFT, head, part="html@u1a")
    assert pool.asked == 1
    whole = await trees.at_version(pool, head)
    assert pool.asked == 2
    assert await trees.at_version(pool, head, part="html@u2b") is whole
    assert await trees.at_head(pool, COURSE.canonical, DRAFT, head) is whole
    assert pool.asked == 2


async def test_the_trees_used_longest_ago_leave_when_there_is_no_room(pool, head):
    trees = TreeCache(blocks=13)  # two parts of five blocks fit, each counted as one more
    for block in ("html@u1a", "html@u1b", "html@u1a", "html@u2a"):
        await trees.at_version(pool, head, part=block)
    asked = pool.asked
    await trees.at_version(pool, head, part="html@u1a")
    assert pool.asked == asked
    await trees.at_version(pool, head, part="html@u1b")
    assert pool.asked == asked + 1
