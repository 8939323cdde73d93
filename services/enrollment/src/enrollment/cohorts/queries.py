"""What the cohort API reads."""

from dataclasses import dataclass
from typing import Final

import asyncpg

_COURSE: Final = """
select c.n, exists (select from team_member t where t.course_key = c.key and t.user_id = $2 and not t.removed) as team
from course c where c.key = $1 and not c.deleted
"""
# index cohort_membership_cohort
_COHORT: Final = """
select k.name, k.id, (select count(*) from cohort_membership m where m.cohort_id = k.id) as user_count,
  k.assignment_type, k.user_partition_id, k.group_id
from cohort k where k.course_n = $1 and k.id = $2
"""
# index cohort_course_n_name_key
_COHORTS: Final = """
select k.name, k.id, (select count(*) from cohort_membership m where m.cohort_id = k.id) as user_count,
  k.assignment_type, k.user_partition_id, k.group_id
from cohort k where k.course_n = $1
"""
# index cohort_membership_cohort; the accounts of those who are skipped are not looked up
_MEMBERS: Final = """
select a.username, a.email, a.name from (
  select user_id from cohort_membership where cohort_id = $1 order by user_id offset $2 limit $3) m
join account a on a.user_id = m.user_id order by m.user_id
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A course, and whether the caller is on its team."""

    n: int
    team: bool


async def find_place(pool: asyncpg.Pool, key: str, user_id: int | None) -> Place | None:
    row = await pool.fetchrow(_COURSE, key, user_id)
    return Place(row["n"], row["team"]) if row else None


async def find_cohort(pool: asyncpg.Pool, course_n: int, cohort_id: int) -> dict[str, object] | None:
    """The cohort as it is shown."""
    row = await pool.fetchrow(_COHORT, course_n, cohort_id)
    return dict(row) if row else None


async def list_cohorts(
    pool: asyncpg.Pool, course_n: int, *, descending: bool, offset: int, size: int
) -> list[dict[str, object]]:
    """A page of a course's cohorts, by name."""
    order = "desc" if descending else "asc"
    rows = await pool.fetch(f"{_COHORTS} order by k.name {order} offset $2 limit $3", course_n, offset, size)
    return [dict(row) for row in rows]


async def list_members(pool: asyncpg.Pool, cohort_id: int, *, offset: int, size: int) -> list[dict[str, str]]:
    """A page of a cohort's members."""
    return [dict(row) for row in await pool.fetch(_MEMBERS, cohort_id, offset, size)]
