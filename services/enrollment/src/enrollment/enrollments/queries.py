"""What the enrollment API reads; pages leave PostgreSQL as JSON text."""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from enrollment.enrollments.errors import BadFilter
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

_ROW: Final = """
select e.id, '{"created":"' || iso(e.created) || '","mode":' || to_json(e.mode) || ',"is_active":' || e.is_active::text
  || ',"user":' || to_json(a.username) || ',"course_id":' || to_json(c.spelling) || '}' as item
from enrollment e join account a on a.user_id = e.user_id join course c on c.n = e.course_n and not c.deleted
"""

PAGE_SIZE: Final = 100
MAX_VALUES: Final = 100
_USERNAME: Final = re.compile(r"[a-zA-Z0-9_-]+")
_BAD_USERNAME: Final = (
    "Usernames can only contain letters (A-Z, a-z), numerals (0-9), underscores (_), and hyphens (-)."
)


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
    conditions: list[str] = []
    values: list[object] = []

    def where(condition: str, value: object) -> None:
        values.append(value)
        conditions.append(condition.format(f"${len(values)}"))

    if cursor is not None:
        where("e.id > {}" if back else "e.id < {}", cursor.id)
    if filters.course_key is not None:
        where("e.course_n = (select n from course where key = {})", filters.course_key)
    if filters.course_parts:
        where(
            "e.course_n = any(array(select o.n from course o, unnest({}::text[]) as part"
            " where position(lower(part) in lower(o.key)) > 0 or position(lower(part) in lower(o.spelling)) > 0))",
            filters.course_parts,
        )
    if filters.usernames:
        where("e.user_id = any(array(select user_id from account where username = any({}::text[])))", filters.usernames)
    if filters.emails:
        where(
            "e.user_id = any(array(select user_id from account where lower(email) = any({}::text[])))",
            [email.lower() for email in filters.emails],
        )
    text = (
        f"{_ROW} where {' and '.join(conditions) or 'true'} order by e.id {'asc' if back else 'desc'} limit {size + 1}"
    )
    rows = await pool.fetch(text, *values)
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
