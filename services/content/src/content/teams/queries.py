"""Reading teams."""

from content.teams.schemas import MemberOut
from content.versions.queries import Connection

_TEAM = """
select username, user_id, role from course_team where course_key = $1 and not removed order by username"""


async def list_members(connection: Connection, course_key: str) -> list[MemberOut]:
    return [MemberOut(**dict(row)) for row in await connection.fetch(_TEAM, course_key)]
