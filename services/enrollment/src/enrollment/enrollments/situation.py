"""The facts many changes are decided on, read set-wise; what the decision depends on is locked."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from enrollment.enrollments.changes import int_array
from enrollment.enrollments.models import Course, Learner, Place, Seats, Standing

Pair = tuple[int, int]
_NOTHING: Final = Standing()

_BY_NAME: Final = "select user_id, username, email, is_staff from account where username = any($1::text[])"
_BY_EMAIL: Final = "select user_id, username, email, is_staff from account where lower(email) = any($1::text[])"
_BY_ID: Final = "select user_id, username, email, is_staff from account where user_id = any($1::text::bigint[])"
_COURSES: Final = """
select c.n, c.key, c.capacity, c.enrollment_start, c.enrollment_end, c.invitation_only,
  exists (select from enrollment_allowed w where w.course_key = c.key and not w.removed) as has_allowed,
  array(select m.slug from course_mode m where m.course_n = c.n order by m.position) as slugs,
  array(select m.expires_at from course_mode m where m.course_n = c.n order by m.position) as expiries
from course c where c.key = any($1::text[]) and (not c.deleted or $2::boolean)
"""
_STANDINGS: Final = """
select e.user_id, e.course_n, e.version, e.mode, e.is_active, e.commanded_at
from unnest($1::text::bigint[], $2::text::bigint[]) as i(user_id, course_n)
join enrollment e on e.user_id = i.user_id and e.course_n = i.course_n
order by e.user_id, e.course_n for update of e
"""
_ANY_MARK: Final = "select exists (select from command_mark)"
_MARKS: Final = """
select m.user_id, m.course_n, m.commanded_at
from unnest($1::text::bigint[], $2::text::bigint[]) as i(user_id, course_n)
join command_mark m on m.user_id = i.user_id and m.course_n = i.course_n
"""
_SEATS: Final = """
select course_n, taken from seat where course_n = any($1::bigint[]) order by course_n for update
"""
_TEAMS: Final = """
select course_key, user_id from team_member
where course_key = any($1::text[]) and user_id = any($2::text::bigint[]) and not removed
"""
_ALLOWED: Final = """
select w.id, w.user_id, lower(w.email) as email, w.course_key from enrollment_allowed w
where w.course_key = any($1::text[]) and lower(w.email) = any($2::text[]) and not w.removed
"""
_COHORTS: Final = "select id, course_n, name from cohort where course_n = any($1::bigint[]) and name = any($2::text[])"


@dataclass(frozen=True, slots=True)
class Known:
    """Accounts and courses by the names that items use."""

    by_name: Mapping[str, Learner]
    by_email: Mapping[str, Learner]
    by_id: Mapping[int, Learner]
    courses: Mapping[str, Course]


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything else about some pairs of learner and course."""

    standings: Mapping[Pair, Standing]
    teams: Collection[tuple[str, int]]
    allowed: Mapping[tuple[str, str], tuple[int, int | None]]
    seats: Mapping[int, Seats]

    def place(self, learner: Learner, course: Course) -> Place:
        """All that decides about this learner in this course."""
        entry = self.allowed.get((learner.email.lower(), course.key), (None, None)) if self.allowed else (None, None)
        return Place(
            course=course,
            learner=learner,
            standing=self.standings.get((learner.user_id, course.n), _NOTHING),
            on_team=(course.key, learner.user_id) in self.teams,
            allowed_id=entry[0],
            allowed_to=entry[1],
            seats=self.seats.get(course.n),
        )


async def find_known(
    connection: asyncpg.Connection,
    names: Iterable[str],
    emails: Iterable[str],
    course_keys: Iterable[str],
    *,
    user_ids: Collection[int] = (),
    deleted_too: bool = False,
) -> Known:
    """Who and what of these is known here; e-mail addresses in lower case."""
    wanted_names, wanted_emails, wanted_keys = list(set(names)), list(set(emails)), list(set(course_keys))
    by_name = await connection.fetch(_BY_NAME, wanted_names) if wanted_names else []
    by_email = await connection.fetch(_BY_EMAIL, wanted_emails) if wanted_emails else []
    by_id = await connection.fetch(_BY_ID, int_array(user_ids)) if user_ids else []
    courses = await connection.fetch(_COURSES, wanted_keys, deleted_too) if wanted_keys else []
    return Known(
        {row["username"]: Learner(*row) for row in by_name},
        {row["email"].lower(): Learner(*row) for row in by_email},
        {row["user_id"]: Learner(*row) for row in by_id},
        {row["key"]: _course(row) for row in courses},
    )


def _course(row: asyncpg.Record) -> Course:
    return Course(
        n=row["n"],
        key=row["key"],
        capacity=row["capacity"],
        enrollment_start=row["enrollment_start"],
        enrollment_end=row["enrollment_end"],
        invitation_only=row["invitation_only"],
        has_allowed=row["has_allowed"],
        modes=tuple(zip(row["slugs"], row["expiries"], strict=True)),
    )


async def lock_situation(
    connection: asyncpg.Connection, pairs: Sequence[tuple[Learner, Course]], *, now: datetime
) -> Situation:
    """The enrollments of these pairs and the seats of their courses, locked until commit; always in the same order."""
    users = [learner.user_id for learner, _ in pairs]
    keys = int_array(users), int_array(course.n for _, course in pairs)
    standings: dict[Pair, Standing] = {}
    for row in await connection.fetch(_STANDINGS, *keys):
        standings[row["user_id"], row["course_n"]] = Standing(
            row["version"], row["mode"], row["is_active"], row["commanded_at"]
        )
    for row in await connection.fetch(_MARKS, *keys) if await connection.fetchval(_ANY_MARK) else ():
        pair = row["user_id"], row["course_n"]
        known = standings.get(pair, Standing())
        if known.commanded_at is None or known.commanded_at < row["commanded_at"]:
            standings[pair] = Standing(known.version, known.mode, known.is_active, row["commanded_at"])
    courses = {course.n: course for _, course in pairs}.values()
    special = [c.key for c in courses if c.capacity is not None or c.invitation_only or not c.is_open(now)]
    teams = await connection.fetch(_TEAMS, special, int_array(users)) if special else []
    listed = [course.key for course in courses if course.has_allowed]
    emails = [learner.email.lower() for learner, course in pairs if course.has_allowed]
    allowed = await connection.fetch(_ALLOWED, listed, emails) if listed else []
    return Situation(
        standings,
        {(row["course_key"], row["user_id"]) for row in teams},
        {(row["email"], row["course_key"]): (row["id"], row["user_id"]) for row in allowed},
        await lock_seats(connection, courses),
    )


async def lock_seats(connection: asyncpg.Connection, courses: Iterable[Course]) -> dict[int, Seats]:
    """The seats of those of these courses that have a limit, locked until commit."""
    limits = {course.n: course.capacity for course in courses if course.capacity is not None}
    rows = await connection.fetch(_SEATS, list(limits)) if limits else []
    return {row["course_n"]: Seats(limits[row["course_n"]], row["taken"]) for row in rows}


async def find_cohorts(
    connection: asyncpg.Connection, numbers: Collection[int], names: Collection[str]
) -> dict[tuple[int, str], int]:
    """The ids of cohorts by course and name."""
    rows = await connection.fetch(_COHORTS, list(numbers), list(names)) if names else []
    return {(row["course_n"], row["name"]): row["id"] for row in rows}
