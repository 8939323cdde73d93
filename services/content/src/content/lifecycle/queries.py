"""Finding what was deleted, and what a rerun starts from."""

from dataclasses import dataclass
from datetime import datetime

from common.keys import CourseKey
from content.versions.queries import Connection

# course_deleted
_DELETED = """
select course_key, spelling, deleted_at from course where deleted_at is not null order by course_key"""


@dataclass(frozen=True, slots=True)
class Deleted:
    """A course that can be restored."""

    course: CourseKey
    spelling: str
    deleted_at: datetime


async def list_deleted(connection: Connection) -> list[Deleted]:
    return [
        Deleted(CourseKey.parse(row["course_key"]), row["spelling"], row["deleted_at"])
        for row in await connection.fetch(_DELETED)
    ]
