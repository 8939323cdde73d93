"""What an edit costs on disk: the same whatever the size of the course."""

import pytest

from common.database import raw
from common.keys import CourseKey
from content.versions.editing import open_edit
from content.versions.operations import Author

TABLES = ("block", "version", "definition", "branch")


def a_course(a_draft, name: str, units: int):
    """A course of 1 + units blocks, each with some content and settings."""
    draft = a_draft(CourseKey.parse(f"course-v1:Org+{name}+1"))
    draft.blocks, draft.assets, draft.files = {}, {}, {}
    leaves = [f"html@h{number}" for number in range(units)]
    draft.block("course@course", *leaves, display_name=name, start="2020-01-01T00:00:00Z")
    for number, leaf in enumerate(leaves):
        draft.block(leaf, data=f"<p>{'text ' * 40}{number}</p>", display_name=f"Block {number}", weight=number)
    return draft


async def size(pool) -> int:
    """Bytes of the tables that hold trees, with their indexes; not the maps of free space, which come with a vacuum."""
    names = ", ".join(f"pg_relation_size('{table}') + pg_indexes_size('{table}')" for table in TABLES)
    return sum((await pool.fetchrow(f"select {names}")).values())


@pytest.mark.parametrize(("blocks", "edits"), [(200, 60), pytest.param(1000, 1000, marks=pytest.mark.torture)])
async def test_an_edit_costs_a_kilobyte_and_not_the_course(bus, a_draft, blocks, edits):
    pool = bus.resources.pool
    draft = a_course(a_draft, f"Growth{blocks}", blocks)
    await bus.import_course(draft)
    await pool.execute("vacuum full block, version, definition, branch")
    before = await size(pool)
    for number in range(edits):
        async with bus.resources.sessions.begin() as session:
            edit = await open_edit(await raw(session), draft.course, Author(7, "writer", "edit"))
            block = await edit.draft.get(f"html@h{number * 7 % blocks}")
            edit.draft.put(block.changed(settings={**block.settings, "display_name": f"Edit {number}"}))
            assert await edit.save(session)
    # whole pages and index leaves half full included; what the edit closed is one dead row until the next vacuum
    grown = await size(pool) - before
    per_edit = grown / edits
    rows = await pool.fetchrow(
        "select (select count(*) from block) as blocks, (select count(*) from version) as versions"
    )
    assert dict(rows) == {"blocks": 2 * (blocks + 1) + edits, "versions": 2 + edits}
    assert per_edit < 4_000
