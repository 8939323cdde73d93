"""A job that would drop too many is stopped before its first row: a half file must not empty a program."""

from typing import Final

import asyncpg

from common.errors import Conflict
from enrollment.jobs.models import Job, Kind
from enrollment.program_enrollments.models import HELD

# what the file's rows would drop, and how many there are to be dropped
_PROGRAM: Final = """
select (select count(*) from enrollment_job_row r join program_enrollment e
    on e.program_uuid = $2 and e.folded = r.folded and e.status = any($3::text[])
    where r.job_id = $1 and r.drops and not r.repeated) as drops,
  (select count(*) from program_enrollment where program_uuid = $2 and status = any($3::text[])) as held
"""
_COURSE: Final = """
select (select count(*) from enrollment_job_row r join program_enrollment e
    on e.program_uuid = $2 and e.folded = split_part(r.folded, e'\\x1f', 1)
    join program_course_enrollment c on c.program_enrollment_id = e.id and c.course_n = r.course_n
    and c.status = 'active' where r.job_id = $1 and r.drops and not r.repeated) as drops,
  (select count(*) from program_course_enrollment where program_uuid = $2 and status = 'active') as held
"""
_ENROLLMENTS: Final = """
with named as (
  select distinct coalesce(r.data::json ->> 'username', '') as username, lower(r.data::json ->> 'email') as email,
    split_part(r.folded, e'\\x1f', 2) as course_key, r.drops
  from enrollment_job_row r where r.job_id = $1 and not r.repeated),
courses as (select distinct c.n, c.key from named i join course c on c.key = i.course_key)
select (select count(*) from named i join courses c on c.key = i.course_key
    join account a on a.username = i.username or lower(a.email) = i.email
    join enrollment e on e.user_id = a.user_id and e.course_n = c.n and e.is_active where i.drops) as drops,
  (select count(*) from enrollment e join courses c on c.n = e.course_n where e.is_active) as held
"""


class TooManyDrops(Conflict):
    """The file would drop more than it may."""

    code = "too_many_drops"

    def __init__(self, drops: int, held: int) -> None:
        text = f"The file would drop {drops} of {held}, more than it may; nothing was written."
        super().__init__(text, drops=drops, held=held)


async def check_drops(connection: asyncpg.Connection, job: Job) -> None:
    """Raises `TooManyDrops`."""
    options = job.options
    if options.max_drops is None and options.max_drop_percent is None:
        return
    if job.kind is Kind.PROGRAM_ENROLLMENTS:
        row = await connection.fetchrow(_PROGRAM, job.id, job.program_uuid, sorted(HELD))
    elif job.kind is Kind.COURSE_ENROLLMENTS:
        row = await connection.fetchrow(_COURSE, job.id, job.program_uuid)
    else:
        row = await connection.fetchrow(_ENROLLMENTS, job.id)
    drops, held = row["drops"], row["held"]
    over = options.max_drops is not None and drops > options.max_drops
    share = options.max_drop_percent
    if over or (share is not None and drops * 100 > share * held):
        raise TooManyDrops(drops, held)
