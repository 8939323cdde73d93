"""Who may author a course."""

import asyncpg

from common.identity import Caller, require_user
from common.keys import CourseKey, InvalidKey
from common.resources import Resources
from import_export.courses.errors import CourseNotFound, InvalidCourseKey, NotAnAuthor
from import_export.courses.models import Standing

_ROLES = ("instructor", "staff")
# course_pkey, course_team_pkey, account_pkey
_STANDING = """
select c.spelling, c.deleted, case when a.is_active is not false then t.role end as role
from (select $1::text as course_id) asked
left join course c on c.course_id = asked.course_id
left join course_team t on t.course_id = asked.course_id and t.user_id = $2 and not t.removed
left join account a on a.user_id = t.user_id"""


def parse_course_key(text: str) -> CourseKey:
    """Raises `InvalidCourseKey`."""
    try:
        return CourseKey.parse(text)
    except InvalidKey as error:
        raise InvalidCourseKey from error


async def get_standing(pool: asyncpg.Pool, key: CourseKey, caller: Caller, *, spelling: str) -> Standing:
    """`spelling` is the form the caller wrote; a course that exists keeps the one it was created in."""
    row = await pool.fetchrow(_STANDING, key.canonical, caller.user_id)
    exists = row["spelling"] is not None and not row["deleted"]
    role = row["role"] or ("staff" if caller.has_org_role(key.org, _ROLES) else None)
    return Standing(key.canonical, row["spelling"] if exists else spelling, exists, role)


async def require_author(resources: Resources, caller: Caller, written: str, *, may_create: bool = False) -> Standing:
    """The caller's standing in the course *written*, which they may author, or (`may_create`) may create.

    A course or role this service has not heard of yet is waited for. Raises `InvalidCourseKey`, `CourseNotFound`,
    `NotAnAuthor`, and 401 for the anonymous.
    """
    require_user(caller)
    written = written.removesuffix("/")  # a key may hold slashes, so the route cannot tell a last one apart
    key = parse_course_key(written)
    last: Standing | None = None

    async def read() -> Standing | None:
        nonlocal last
        last = await get_standing(resources.pool, key, caller, spelling=written)
        if last.exists:
            return last if caller.is_staff or last.role else None
        return last if may_create and caller.may_create(key.org, key.course) else None

    found = await resources.facts.eventually(read)
    if found is not None:
        return found
    if last is not None and last.exists:
        raise NotAnAuthor
    raise CourseNotFound
