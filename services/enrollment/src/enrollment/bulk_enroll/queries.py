"""What a bulk call reads: whom the identifiers name, and how they stand in a course."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

# a single priced honor mode: upstream's "white label" courses enroll in it
_COURSE: Final = """
select c.n, c.key, coalesce((
    select count(*) = 1 and bool_and(m.slug = 'honor' and (m.rendered::json ->> 'min_price')::int > 0)
    from course_mode m where m.course_n = c.n), false) as white_label
from course c where c.key = $1 and not c.deleted
"""
_COHORTS: Final = "select id from cohort where course_n = (select n from course where key = $1) and name = $2"
# indexes account_username, account_email, enrollment_pkey, enrollment_allowed_entry, cohort_membership_pkey,
# retirement_mail; one row for each identifier, in their order
_STANDING: Final = """
select i.text, a.user_id, a.username, a.email, a.is_active as live, coalesce(e.is_active, false) as enrolled,
  w.id is not null as allowed, coalesce(w.auto_enroll, false) as auto_enroll, k.name as cohort,
  exists (select from retirement r where r.mail_hash = retirement_hash(lower(i.text))) as retired
from unnest($1::text[]) with ordinality as i(text, place)
left join lateral (
  select * from account where username = i.text
  union all select * from account where lower(email) = lower(i.text)
  limit 1) a on true
left join enrollment e on e.user_id = a.user_id and e.course_n = $2
left join enrollment_allowed w on lower(w.email) = lower(coalesce(a.email, i.text)) and w.course_key = $3
  and not w.removed
left join cohort_membership m on m.user_id = a.user_id and m.course_n = $2
left join cohort k on k.id = m.cohort_id
order by i.place
"""


@dataclass(frozen=True, slots=True)
class BulkCourse:
    """A course as a bulk call needs it."""

    n: int
    key: str
    white_label: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """An identifier, the account it names (or none), and how that stands in the course."""

    text: str
    user_id: int | None
    username: str | None
    email: str | None
    live: bool | None
    enrolled: bool
    allowed: bool
    auto_enroll: bool
    cohort: str | None
    retired: bool


async def find_course(pool: asyncpg.Pool, key: str) -> BulkCourse | None:
    row = await pool.fetchrow(_COURSE, key)
    return BulkCourse(**row) if row else None


async def has_cohort(pool: asyncpg.Pool, key: str, name: str) -> bool | None:
    """None, not false, when there is none: it may still be on its way with its course."""
    return True if await pool.fetchval(_COHORTS, key, name) is not None else None


async def find_standings(
    connection: asyncpg.Connection, identifiers: Sequence[str], course: BulkCourse
) -> Mapping[str, Standing]:
    """By identifier."""
    rows = await connection.fetch(_STANDING, list(identifiers), course.n, course.key)
    return {row["text"]: Standing(**row) for row in rows}
