"""Reading what a team has done."""

from common.keys import CourseKey
from content.versions.queries import Connection

# checklist_item_pkey
_TICKED = "select checklist, item from checklist_item where course_key = $1"


async def read_ticked(connection: Connection, course: CourseKey) -> frozenset[tuple[str, str]]:
    """Names of list and item of everything that is ticked in a course."""
    rows = await connection.fetch(_TICKED, course.canonical)
    return frozenset((row["checklist"], row["item"]) for row in rows)
