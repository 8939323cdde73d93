"""Blocks that nothing leads to: not the root, not reached from it, and of no type that stands beside the tree."""

from common.keys import CourseKey
from content.authoring.targets import main_branch
from content.versions.editing import Edit
from content.versions.models import DETACHED
from content.versions.queries import Connection

# block_live, the whole of the branch: what is unreachable cannot be found from anywhere else.
_ORPHANS = """
with recursive head as (select id from branch where course_key = $1 and name = $2),
live as materialized (
  select b.block_id, b.type, b.parent_id, b.children from head h
  join block b on b.branch_id = h.id and b.to_version is null where b.type not like '$%'),
reached(block_id) as (
  select block_id from live where parent_id is null and type in ('course', 'library')
  union
  select k.child from reached r join live l using (block_id) cross join unnest(l.children) k(child))
select block_id from live l
where not type = any($3::text[]) and not exists (select from reached r where r.block_id = l.block_id)
order by block_id"""


async def list_orphans(connection: Connection, course: CourseKey, branch: str | None = None) -> list[str]:
    """The orphans of a branch, by default of the draft."""
    rows = await connection.fetch(_ORPHANS, course.canonical, branch or main_branch(course), sorted(DETACHED))
    return [row["block_id"] for row in rows]


async def delete_orphans(edit: Edit) -> list[str]:
    """Delete the orphans of every branch; their ids."""
    gone: dict[str, None] = {}
    for branch in edit.branches:
        for block_id in await list_orphans(edit.connection, edit.course, branch.name):
            branch.drop(block_id)
            gone[block_id] = None
    return list(gone)
