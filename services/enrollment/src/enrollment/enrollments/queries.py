"""What the enrollment API reads; pages leave PostgreSQL as JSON text."""

from typing import Final

import asyncpg

from enrollment.enrollments.statements import DETAILS

_OBJECT: Final = f"""'{{"created":"' || iso(e.created) || '","mode":' || to_json(e.mode) || ',"is_active":'
  || e.is_active::text || ',"course_details":' || {DETAILS} || ',"user":' || to_json(a.username) || '}}'"""

_ONE: Final = f"""
select {_OBJECT} from (select * from account where username = $1 limit 1) a
join course c on c.key = $2 and not c.deleted
join enrollment e on e.user_id = a.user_id and e.course_n = c.n
"""

_LIST: Final = f"""
select coalesce('[' || string_agg({_OBJECT}, ',' order by e.created, e.id) || ']', '[]')
from (select * from account where username = $1 limit 1) a
join enrollment e on e.user_id = a.user_id and e.is_active
join course c on c.n = e.course_n and not c.deleted
where $2::boolean or exists (
  select from team_member t where t.course_key = c.key and t.user_id = $3::bigint and not t.removed)
"""

_COURSE: Final = f"""
select case when $2::boolean then course_details(c, true) else {DETAILS} end
from course c where c.key = $1 and not c.deleted
"""

_ROLES: Final = """
select coalesce(json_agg(json_build_object('org', r.org, 'course_id', r.course_id, 'role', r.role)
  order by r.course_id), '[]')
from (
  select coalesce(c.org, split_part(split_part(t.course_key, ':', 2), '+', 1)) as org,
    coalesce(c.spelling, t.course_key) as course_id, t.role
  from team_member t left join course c on c.key = t.course_key where t.user_id = $1 and not t.removed
) r where $2::text is null or r.course_id = $2
"""


async def find_enrollment(pool: asyncpg.Pool, username: str, course_key: str) -> str | None:
    """The enrollment object as JSON text, active or not."""
    found: str | None = await pool.fetchval(_ONE, username, course_key)
    return found


async def list_enrollments(pool: asyncpg.Pool, username: str, *, everything: bool, reader_id: int | None) -> str:
    """The learner's active enrollments, oldest first; without `everything` those in courses the reader teaches."""
    found: str = await pool.fetchval(_LIST, username, everything, reader_id)
    return found


async def find_course_details(pool: asyncpg.Pool, course_key: str, *, include_expired: bool) -> str | None:
    """The course details object as JSON text."""
    found: str | None = await pool.fetchval(_COURSE, course_key, include_expired)
    return found


async def list_roles(pool: asyncpg.Pool, user_id: int, course_id: str | None) -> list[dict[str, str]]:
    """The courses on whose team this account is."""
    found: list[dict[str, str]] = await pool.fetchval(_ROLES, user_id, course_id)
    return found
