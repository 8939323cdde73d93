"""What the reports read."""

from dataclasses import dataclass
from typing import Final

import asyncpg

_COURSE: Final = """
select c.n, c.spelling, exists (
  select from team_member t where t.course_key = c.key and t.user_id = $2 and not t.removed) as team
from course c where c.key = $1 and not c.deleted
"""
# index enrollment_course: of each course of the page all its rows are read once
_COUNTS: Final = """
select c.n, c.spelling as course_id, coalesce(k.active, 0)::bigint as active,
  coalesce(k.inactive, 0)::bigint as inactive, c.capacity, s.taken as seats_taken, coalesce(k.counts, '[]') as counts
from (select * from course where {where}) c
left join seat s on s.course_n = c.n
left join lateral (
  select sum(g.count) filter (where g.is_active) as active, sum(g.count) filter (where not g.is_active) as inactive,
    json_agg(json_build_object('mode', g.mode, 'is_active', g.is_active, 'count', g.count)
      order by g.mode, g.is_active desc) as counts
  from (select mode, is_active, count(*) from enrollment where course_n = c.n group by mode, is_active) g
) k on true
order by c.n
"""
_ONE: Final = _COUNTS.format(where="n = $1")
_PAGE: Final = _COUNTS.format(where="n > $1 and not deleted order by n limit $2")

# A text that a spreadsheet would take for a formula gets an apostrophe before it.
_SAFE: Final = r"case when {0} ~ '^[=+@\t\r\n-]' then '''' || {0} else {0} end"
# index enrollment_course (course_n, id)
EXPORT: Final = f"""
select {_SAFE.format("a.username")} as username, {_SAFE.format("a.email")} as email, {_SAFE.format("e.mode")} as mode,
  e.is_active, iso(e.created) as created, {_SAFE.format("k.name")} as cohort
from enrollment e join account a on a.user_id = e.user_id
left join cohort_membership m on m.user_id = e.user_id and m.course_n = e.course_n
left join cohort k on k.id = m.cohort_id
where e.course_n = $1 order by e.id
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A course, and whether the caller is on its team."""

    n: int
    spelling: str
    team: bool


async def find_place(pool: asyncpg.Pool, key: str, user_id: int | None) -> Place | None:
    row = await pool.fetchrow(_COURSE, key, user_id)
    return Place(**row) if row else None


async def count_course(pool: asyncpg.Pool, course_n: int) -> dict[str, object]:
    """One course's counts."""
    return _shown(await pool.fetchrow(_ONE, course_n))


async def count_courses(pool: asyncpg.Pool, after: int, *, size: int) -> tuple[list[dict[str, object]], int | None]:
    """A page of courses' counts, and where the next begins."""
    rows = await pool.fetch(_PAGE, after, size + 1)
    more = len(rows) > size
    return [_shown(row) for row in rows[:size]], rows[size - 1]["n"] if more else None


def _shown(row: asyncpg.Record) -> dict[str, object]:
    return {name: value for name, value in row.items() if name != "n"}
