"""What a learner may ask about their own programs."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import asyncpg

from enrollment.program_enrollments.models import HELD

# modes that a program's learner takes its courses in
_MODES: Final = ("verified", "masters", "executive-education", "paid-executive-education", "paid-bootcamp")

_IS_ENROLLED: Final = """
select exists (select from program_enrollment where user_id = $1 and program_uuid = $2 and status = 'enrolled') or null
"""
_RUNS: Final = """
select c.spelling, c.display_name, c.starts, c.ends, p.type, p.title
from program_run r join program p on p.uuid = r.program_uuid join course c on c.key = r.course_key and not c.deleted
join enrollment e on e.course_n = c.n and e.user_id = $1 and e.is_active and e.mode = any($3::text[])
where r.program_uuid = $2 order by e.id limit $4 offset $5
"""
_ALL: Final = "select uuid::text, slug from program where lower(type) = $1 and not deleted order by title, uuid"
_MINE: Final = """
select uuid::text, slug from program where not deleted and (
  lower(type) = $1 and uuid = any(array(
    select r.program_uuid from team_member t join program_run r on r.course_key = t.course_key
    where t.user_id = $2 and not t.removed))
  or uuid = any(array(select program_uuid from program_enrollment where user_id = $2 and status = any($3::text[]))))
order by title, uuid
"""


async def is_enrolled(pool: asyncpg.Pool, user_id: int, program_uuid: UUID) -> bool | None:
    """True, or None as long as it is not so."""
    found: bool | None = await pool.fetchval(_IS_ENROLLED, user_id, program_uuid)
    return found


async def list_runs(
    pool: asyncpg.Pool, user_id: int, program_uuid: UUID, *, base: str, limit: int | None = None, offset: int = 0
) -> list[dict[str, object]]:
    """The learner's active enrollments in runs of the program, whatever way they came about."""
    rows = await pool.fetch(_RUNS, user_id, program_uuid, list(_MODES), limit, offset)
    return [_overview(row, base, datetime.now(UTC)) for row in rows]


def _overview(row: asyncpg.Record, base: str, now: datetime) -> dict[str, object]:
    shown: dict[str, object] = {
        "course_run_id": row["spelling"],
        "display_name": row["display_name"] or row["spelling"],
        "course_run_url": f"{base}/course/{row['spelling']}",
        "start_date": _instant(row["starts"]),
        "end_date": _instant(row["ends"]),
        "course_run_status": run_status(row["starts"], row["ends"], now),
        # due dates of single blocks are no fact this service has
        "due_dates": [],
    }
    if row["type"] == "MicroMasters":
        shown["micromasters_title"] = row["title"]
    return shown


def run_status(starts: datetime | None, ends: datetime | None, now: datetime) -> str:
    """Without certificates, self-paced runs are judged as the others."""
    if ends is not None and ends < now:
        return "completed"
    return "in_progress" if starts is not None and starts <= now else "upcoming"


def _instant(value: datetime | None) -> str | None:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if value else None


async def list_programs(pool: asyncpg.Pool, *, user_id: int | None, is_staff: bool, type_: str) -> list[dict[str, str]]:
    """All programs of a type for staff; else those of courses one teaches, and those one is in, of whatever type."""
    if is_staff:
        rows = await pool.fetch(_ALL, type_.lower())
    else:
        rows = await pool.fetch(_MINE, type_.lower(), user_id, sorted(HELD))
    return [dict(row) for row in rows]
