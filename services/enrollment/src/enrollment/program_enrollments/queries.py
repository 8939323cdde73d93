"""Pages of program enrollments, as PostgreSQL prints them."""

import base64
import binascii
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlencode
from uuid import UUID

import asyncpg

from enrollment.program_enrollments.errors import BadCursor

DEFAULT_SIZE: Final = 100
MAX_SIZE: Final = 1000
_MAX_ID: Final = 2**63 - 1

# Index program_enrollment_page, then account_pkey. Compared as whole rows, so that no other index will do: with
# `program_uuid = $1 order by id` a program of few keys could be looked for all through the primary key.
_PROGRAM: Final = """
select e.id, '{{"student_key":' || to_json(e.external_user_key) || ',"status":' || to_json(e.status)
  || ',"account_exists":' || (e.user_id is not null)::text || ',"curriculum_uuid":"' || e.curriculum_uuid || '"'
  || case when $4 then ',"username":' || to_json(coalesce(a.username, '')) else '' end
  || case when $5 then ',"email":' || to_json(coalesce(a.email, '')) else '' end || '}}' as item
from program_enrollment e left join account a on a.user_id = e.user_id
where (e.program_uuid, e.id) {comparison} ($1::uuid, $2::bigint) and e.program_uuid {until} $1
order by e.program_uuid {direction}, e.id {direction} limit $3
"""
# Index program_course_enrollment_page, then primary keys. A wish just sent to content counts before it is heard back.
_COURSE: Final = """
select c.id, '{{"student_key":' || to_json(e.external_user_key) || ',"status":"' || c.status
  || '","account_exists":' || (e.user_id is not null)::text || ',"curriculum_uuid":"' || e.curriculum_uuid || '"'
  || case when $5 then ',"course_staff":' || (case
      when e.user_id is null or c.course_staff_at > now() - interval '10 seconds' then coalesce(c.course_staff, false)
      else exists (select from team_member t where t.course_key = $6 and t.user_id = e.user_id
        and t.role = 'staff' and not t.removed) end)::text else '' end || '}}' as item
from program_course_enrollment c join program_enrollment e on e.id = c.program_enrollment_id
where (c.program_uuid, c.course_n, c.id) {comparison} ($1::uuid, $4::bigint, $2::bigint)
  and (c.program_uuid, c.course_n) {until} ($1, $4)
order by c.program_uuid {direction}, c.course_n {direction}, c.id {direction} limit $3
"""
_FORWARD: Final = {"comparison": ">", "until": "<=", "direction": "asc"}
_BACKWARD: Final = {"comparison": "<", "until": ">=", "direction": "desc"}
_PROGRAM_PAGES: Final = _PROGRAM.format(**_FORWARD), _PROGRAM.format(**_BACKWARD)
_COURSE_PAGES: Final = _COURSE.format(**_FORWARD), _COURSE.format(**_BACKWARD)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list: the rows after an id, or (going back) those before it."""

    id: int
    back: bool = False

    def __str__(self) -> str:
        place = {"r": 1, "p": self.id} if self.back else {"p": self.id}
        return base64.b64encode(urlencode(place).encode()).decode()


def parse_cursor(text: str) -> Cursor | None:
    """None for what names no place at all. Raises `BadCursor` for what is no cursor."""
    try:
        plain = base64.b64decode(text.encode("ascii")).decode("ascii")
        fields = parse_qs(plain, keep_blank_values=True)
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise BadCursor from error
    back = fields.get("r", ["0"])[0]
    place = fields.get("p", [None])[0]
    if not re.fullmatch(r"[01]", back):
        raise BadCursor
    if place is None:
        return Cursor(_MAX_ID, back=True) if back == "1" else None
    if not re.fullmatch(r"-?[0-9]{1,19}", place) or abs(int(place)) > _MAX_ID:
        raise BadCursor
    return Cursor(int(place), back == "1")


def page_size(text: str | None, *, default: int = DEFAULT_SIZE, most: int = MAX_SIZE) -> int:
    """What is no positive number is the default; there is a silent cap, which walkers of cursors cannot notice."""
    if text is None or not re.fullmatch(r"\+?0*[1-9][0-9]*", text.strip()):
        return default
    digits = text.strip().lstrip("+0")
    return most if len(digits) > 9 else min(int(digits), most)


@dataclass(frozen=True, slots=True)
class Page:
    """JSON texts of the rows, oldest first, and the cursors around them."""

    items: list[str]
    next: Cursor | None
    previous: Cursor | None


async def _page(
    pool: asyncpg.Pool, statements: tuple[str, str], cursor: Cursor | None, size: int, bind: "_Bind"
) -> Page:
    back = cursor is not None and cursor.back
    place = cursor.id if cursor else -_MAX_ID
    rows = await pool.fetch(statements[back], *bind(place, size + 1))
    more, rows = len(rows) > size, rows[:size]
    if back:
        rows.reverse()
    if not rows:
        # beyond the end there is still a way back, and before the beginning one on
        return Page(
            [],
            Cursor(max(place - 1, -_MAX_ID)) if back else None,
            Cursor(min(place + 1, _MAX_ID), back=True) if cursor and not back else None,
        )
    return Page(
        [row["item"] for row in rows],
        Cursor(rows[-1]["id"]) if back or more else None,
        Cursor(rows[0]["id"], back=True) if (more if back else cursor is not None) else None,
    )


_Bind = Callable[[int, int], tuple[object, ...]]


async def list_program_enrollments(
    pool: asyncpg.Pool, program_uuid: UUID, cursor: Cursor | None, *, size: int, fields: Collection[str]
) -> Page:
    """Every key of the program, of whatever status and curriculum, in the order they came."""
    username, email = "username" in fields, "email" in fields
    return await _page(
        pool, _PROGRAM_PAGES, cursor, size, lambda place, limit: (program_uuid, place, limit, username, email)
    )


async def list_course_enrollments(
    pool: asyncpg.Pool,
    program_uuid: UUID,
    course: tuple[int, str],
    cursor: Cursor | None,
    *,
    size: int,
    fields: Collection[str],
) -> Page:
    """Every key of the program in the course, in the order they came."""
    number, key = course
    staff = "course_staff" in fields
    return await _page(
        pool, _COURSE_PAGES, cursor, size, lambda place, limit: (program_uuid, place, limit, number, staff, key)
    )
