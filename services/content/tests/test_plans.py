"""What one request asks is answered from an index: the course may be large, and have been edited often."""

from collections.abc import Iterator

import orjson
import pytest

from common.database import raw
from content import access
from content.announcements import queries as announcements
from content.assets import queries as assets
from content.courses import announcing, queries
from content.versions import branches, editing, publishing
from content.versions.operations import Author

COURSE = "course-v1:Org+Demo+1"
BLOCKS, EDITS = 3000, 40
BRANCH = "(select id from branch where course_key = 'course-v1:Org+Demo+1' and name = 'draft')"
STATEMENTS = {
    "what an announcement says": (announcing._SAID, [COURSE]),
    "what is said again": (announcements._PUBLISHED, ["", 100]),
    "the marketing texts": (queries._ABOUT, [COURSE]),
    "the list of courses": (queries._LIST, []),
    "the course of an old key": (queries._BY_LEGACY, ["Org", "Demo", "html@h7"]),
    "the standing of a person": (access._STANDING, [COURSE, 7]),
    "a file": (assets._FIND, [[COURSE], ["$asset@pics_a_b.png"]]),
    "a file of the list": (assets._FIND_LISTING, [COURSE, "$asset@pics_a_b.png"]),
    "a page of files": (assets._LIST.format(order="block_id"), [COURSE, None, False, [], [], 0, 50]),
    "rows to edit": (branches._FIND.replace("$1", BRANCH).replace("$2", "$1"), [["html@h7", "html@h8"]]),
    "what is above a block": (branches._ANCESTORS.replace("$1", BRANCH).replace("$2", "$1"), ["html@h7"]),
    "what is below a block": (branches._SUBTREE.replace("$1", BRANCH).replace("$2", "$1"), ["vertical@u1"]),
    "the root": (branches._ROOT.replace("$1", BRANCH), []),
    "changes of a unit": (publishing._HAS_CHANGES, [COURSE, "vertical@u1"]),
}


@pytest.fixture(scope="module")
async def pool(reading, a_draft):
    _, bus = reading
    draft = a_draft()
    leaves = [draft.block(f"html@h{number}", data=f"<p>{number}</p>") for number in range(BLOCKS)]
    draft.blocks["vertical@u3"]["children"] = leaves
    await bus.import_course(draft)
    for number in range(EDITS):
        async with bus.resources.sessions.begin() as session:
            edit = await editing.open_edit(await raw(session), draft.course, Author(7, "writer", "edit"))
            root = await edit.draft.root()
            edit.draft.put(root.changed(settings={**root.settings, "n": number}))
            await publishing.publish_itself(edit, root.block_id)
            assert await edit.save(session)
    await bus.resources.pool.execute("analyze block, branch, version, course, definition")
    return bus.resources.pool


def nodes(plan: dict) -> Iterator[dict]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


@pytest.mark.parametrize("name", STATEMENTS)
async def test_a_statement_reads_what_it_needs(pool, name):
    statement, values = STATEMENTS[name]
    said = await pool.fetchval(f"explain (analyze, format json) {statement}", *values)
    (explained,) = orjson.loads(said) if isinstance(said, str) else said
    for node in nodes(explained["Plan"]):
        if node.get("Relation Name") == "block":
            met = node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
            assert met < BLOCKS / 10, node
