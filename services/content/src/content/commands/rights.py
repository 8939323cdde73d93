"""Whether whoever asked for a command may do that to a course: decided when the command runs, by what is true then."""

import asyncpg

from common.keys import CourseKey
from content.access import TEAM_ROLES
from content.commands.errors import NotPermitted
from content.commands.schemas import Requester

# course_pkey, course_team_pkey, account_pkey
_STANDING = """
select c.announced, t.role, a.is_active
from course c
left join course_team t on t.course_key = c.course_key and t.user_id = $2 and not t.removed
left join account a on a.user_id = $2
where c.course_key = $1 and c.deleted_at is null"""


async def find_authored(connection: asyncpg.Connection, course: CourseKey, who: Requester) -> int | None:
    """The number of the course's last announcement, for whoever may author it; None when there is no such course.

    Roles on its team count only while the account is active. Raises `NotPermitted`.
    """
    found = await connection.fetchrow(_STANDING, course.canonical, -1 if who.user_id is None else who.user_id)
    if found is None:
        return None
    by_org = any(org == course.org and role in TEAM_ROLES for org, role in who.org_roles)
    if not (who.is_staff or by_org or (found["role"] and found["is_active"] is not False)):
        raise NotPermitted
    return int(found["announced"])
