"""Keep the copies of courses: set-based, the newest version wins, in whatever order versions are heard."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import asyncpg
import orjson

from common.keys import CourseKey
from enrollment.course_copies.schemas import CourseHeard, ModeHeard

_UPSERT: Final = """
insert into course as c (key, spelling, org, display_name, version, deleted, starts, ends, enrollment_start,
  enrollment_end, invitation_only, capacity, self_paced)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::boolean[], $7::timestamptz[],
  $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::boolean[], $12::int[], $13::boolean[])
on conflict (key) do update set spelling = excluded.spelling, org = excluded.org, display_name = excluded.display_name,
  version = excluded.version, deleted = excluded.deleted, starts = excluded.starts, ends = excluded.ends,
  enrollment_start = excluded.enrollment_start, enrollment_end = excluded.enrollment_end,
  invitation_only = excluded.invitation_only, capacity = excluded.capacity, self_paced = excluded.self_paced
where excluded.version > c.version
returning c.n, c.key, c.capacity
"""
_DELETE_MODES: Final = "delete from course_mode where course_n = any($1::bigint[])"
_INSERT_MODES: Final = """
insert into course_mode (course_n, position, slug, expires_at, rendered)
select * from unnest($1::bigint[], $2::int[], $3::text[], $4::timestamptz[], $5::text[])
"""
# `details` leave out expired modes, so they are good until the next expiry
_RENDER: Final = """
update course c set details = course_details(c, false), details_until = coalesce(
  (select min(m.expires_at) from course_mode m where m.course_n = c.n and m.expires_at > now()), 'infinity')
where c.n = any($1::bigint[])
"""
_DROP_SEATS: Final = """
delete from seat using course c where c.n = seat.course_n and c.capacity is null and c.n = any($1::bigint[])
"""
_LOCK_SEATS: Final = "select course_n from seat where course_n = any($1::bigint[]) order by course_n for update"
_NEW_SEATS: Final = """
insert into seat (course_n) select n from course where n = any($1::bigint[]) and capacity is not null
on conflict (course_n) do nothing
"""
_COUNT: Final = """
update seat s set taken = (
    select count(*) from enrollment e where e.course_n = s.course_n and e.is_active and not exists (
      select from team_member t
      where t.course_key = c.key and t.user_id = e.user_id and not t.removed)),
  recount_at = $2::timestamptz
from course c where c.n = s.course_n and s.course_n = any($1::bigint[])
"""


async def store_courses(connection: asyncpg.Connection, courses: Iterable[CourseHeard], *, recount_at: datetime) -> int:
    """Store what is newer than what is known; returns how many were."""
    newest: dict[str, CourseHeard] = {}
    for course in courses:
        key = course.course_id
        if key not in newest or newest[key].version < course.version:
            newest[key] = course
    ordered = sorted(newest.items())
    rows = await connection.fetch(
        _UPSERT,
        [key for key, _ in ordered],
        [course.spelling or key for key, course in ordered],
        [course.org or CourseKey.parse(key).org for key, course in ordered],
        *_columns([course for _, course in ordered]),
    )
    numbers = [row["n"] for row in rows]
    if not numbers:
        return 0
    await connection.execute(_DELETE_MODES, numbers)
    modes = [
        (row["n"], position, mode.slug, mode.expiration_datetime, render_mode(mode))
        for row in rows
        for position, mode in enumerate(newest[row["key"]].modes)
    ]
    if modes:
        await connection.execute(_INSERT_MODES, *map(list, zip(*modes, strict=True)))
    await connection.execute(_RENDER, numbers)
    await connection.execute(_DROP_SEATS, numbers)
    if limited := [row["n"] for row in rows if row["capacity"] is not None]:
        await connection.execute(_NEW_SEATS, limited)
        await count_seats(connection, limited, again_at=recount_at)
    return len(numbers)


async def count_seats(connection: asyncpg.Connection, numbers: Sequence[int], *, again_at: datetime | None) -> None:
    """Set `taken` to what is true now.

    The rows are locked before they are counted, so nobody who keeps to the limit is missed. Who began before the
    course had one does not take the lock; therefore a first count is repeated `again_at`, when those are done.
    """
    await connection.execute(_LOCK_SEATS, numbers)
    await connection.execute(_COUNT, numbers, again_at)


def _columns(courses: Sequence[CourseHeard]) -> tuple[list[object], ...]:
    return (
        [course.display_name for course in courses],
        [course.version for course in courses],
        [course.deleted for course in courses],
        [course.start for course in courses],
        [course.end for course in courses],
        [course.enrollment_start for course in courses],
        [course.enrollment_end for course in courses],
        [course.invitation_only for course in courses],
        [course.max_enrollments for course in courses],
        [course.pacing == "self" for course in courses],
    )


def render_mode(mode: ModeHeard) -> str:
    """A mode as the enrollment API shows it."""
    expires = mode.expiration_datetime
    shown = {
        "slug": mode.slug,
        "name": mode.name,
        "min_price": mode.min_price,
        "suggested_prices": mode.suggested_prices,
        "currency": mode.currency,
        "expiration_datetime": None if expires is None else expires.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "description": mode.description,
        "sku": mode.sku,
        "bulk_sku": mode.bulk_sku,
    }
    return orjson.dumps(shown).decode()
