"""The staff list: everybody's enrollments, newest first, by cursor; no page costs more than another."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from enrollment.enrollments.errors import BadFilter

_ITEM: Final = """
select e.id, '{"created":"' || iso(e.created) || '","mode":' || to_json(e.mode) || ',"is_active":' || e.is_active::text
  || ',"user":' || to_json(a.username) || ',"course_id":' || to_json(c.spelling) || '}' as item"""
_NAMES: Final = "join account a on a.user_id = e.user_id join course c on c.n = e.course_n"
# index enrollment_id
_OF_ALL: Final = "enrollment e where e.{place}"
# index enrollment_pkey; fenced, or the planner would walk back through all ids until it has met enough of these rows
_OF_USERS: Final = """(
  select * from enrollment where user_id = any($2::bigint[]) and {place} offset 0) e{courses}"""
# index enrollment_course (course_n, id): a page of each course at most
_OF_COURSES: Final = """unnest($2::bigint[]) as i(n) cross join lateral (
  select * from enrollment e where e.course_n = i.n and e.{place} {order}) e"""
# of so many courses enough are met soon: index enrollment_id
_OF_MANY_COURSES: Final = "enrollment e where e.course_n = any($2::bigint[]) and e.{place}"
_FEW: Final = 300
_END: Final = 2**63 - 1
# index account_username
_USERS: Final = "select user_id from account where username = any($1::text[])"
# index account_email
_USERS_BY_EMAIL: Final = "select user_id from account where lower(email) = any($1::text[])"
_COURSES: Final = """
select o.n from course o where ($1::text is null or o.key = $1) and ($2::text[] is null or exists (
  select from unnest($2) as part
  where position(lower(part) in lower(o.key)) > 0 or position(lower(part) in lower(o.spelling)) > 0))
"""

PAGE_SIZE: Final = 100
MAX_VALUES: Final = 100
_USERNAME: Final = re.compile(r"[a-zA-Z0-9_-]+")
_BAD_USERNAME: Final = (
    "Usernames can only contain letters (A-Z, a-z), numerals (0-9), underscores (_), and hyphens (-)."
)


@dataclass(frozen=True, slots=True)
class Filters:
    """What the staff list is narrowed to; all that are given hold together."""

    course_key: str | None
    course_parts: Sequence[str]
    usernames: Sequence[str]
    emails: Sequence[str]


def read_filters(course_key: str | None, course_ids: str | None, usernames: str | None, emails: str | None) -> Filters:
    """Raises `BadFilter`."""
    names = _values("username", "usernames", usernames)
    for name in names:
        if not _USERNAME.fullmatch(name):
            raise BadFilter("username", _BAD_USERNAME)
    return Filters(
        course_key, _values("course_ids", "course_ids", course_ids), names, _values("email", "emails", emails)
    )


def _values(field: str, noun: str, text: str | None) -> list[str]:
    values = [value.strip() for value in (text or "").split(",") if value.strip()]
    if len(values) > MAX_VALUES:
        raise BadFilter(
            field, f"Too many {noun} in a single request - {len(values)}. A maximum of {MAX_VALUES} is allowed"
        )
    return values


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the list: the rows older than an id, or (going back) the newer ones next to it."""

    id: int
    back: bool

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(f"{'n' if self.back else 'o'}{self.id}".encode()).decode()

    @classmethod
    def parse(cls, text: str) -> "Cursor | None":
        try:
            plain = base64.urlsafe_b64decode(text.encode()).decode()
        except (binascii.Error, UnicodeError, ValueError):
            return None
        return cls(int(plain[1:]), plain[0] == "n") if re.fullmatch(r"[no]\d{1,18}", plain) else None


@dataclass(frozen=True, slots=True)
class Page:
    """JSON texts of the rows, newest first, and the cursors around them."""

    items: list[str]
    next: Cursor | None
    previous: Cursor | None


async def list_all(pool: asyncpg.Pool, filters: Filters, cursor: Cursor | None, *, size: int) -> Page:
    """A page of everybody's enrollments, inactive ones too."""
    back = cursor is not None and cursor.back
    users = await _find_users(pool, filters)
    courses = await _find_courses(pool, filters)
    statement, values = _statement(users, courses, cursor, limit=size + 1)
    rows = await pool.fetch(statement, *values)
    more, rows = len(rows) > size, rows[:size]
    if back:
        rows.reverse()
    older = more if not back else True
    newer = more if back else cursor is not None
    return Page(
        [row["item"] for row in rows],
        Cursor(rows[-1]["id"], back=False) if rows and older else None,
        Cursor(rows[0]["id"], back=True) if rows and newer else None,
    )


async def _find_users(pool: asyncpg.Pool, filters: Filters) -> list[int] | None:
    """Whom the filters name; None when they name nobody in particular."""
    if not filters.usernames and not filters.emails:
        return None
    named = await pool.fetch(_USERS, list(filters.usernames)) if filters.usernames else None
    emails = [email.lower() for email in filters.emails]
    mailed = await pool.fetch(_USERS_BY_EMAIL, emails) if emails else None
    found = [{row["user_id"] for row in rows} for rows in (named, mailed) if rows is not None]
    return sorted(set.intersection(*found))


async def _find_courses(pool: asyncpg.Pool, filters: Filters) -> list[int] | None:
    if filters.course_key is None and not filters.course_parts:
        return None
    rows = await pool.fetch(_COURSES, filters.course_key, list(filters.course_parts) or None)
    return [row["n"] for row in rows]


def _statement(
    users: list[int] | None, courses: list[int] | None, cursor: Cursor | None, *, limit: int
) -> tuple[str, list[object]]:
    """Which rows, in which order: each way reads an index in that order, or a few learners' rows whole."""
    back = cursor is not None and cursor.back
    order = f"order by e.id {'asc' if back else 'desc'} limit {limit}"
    place = f"id {'>' if back else '<'} $1"
    values: list[object] = [cursor.id if cursor else _END]
    if users is not None:
        found = _OF_USERS.format(
            place=place, courses="" if courses is None else " where e.course_n = any($3::bigint[])"
        )
        values += [users] if courses is None else [users, courses]
    elif courses is not None:
        found = (_OF_COURSES if len(courses) <= _FEW else _OF_MANY_COURSES).format(place=place, order=order)
        values.append(courses)
    else:
        found = _OF_ALL.format(place=place)
    return f"{_ITEM} from (select e.* from {found} {order}) e {_NAMES} {order}", values
