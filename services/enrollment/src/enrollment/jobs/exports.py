"""Reading jobs: whole lists into a file, page by page."""

from collections.abc import AsyncIterator
from typing import Final

import asyncpg

from enrollment.jobs.models import Job, Kind

PAGE: Final = 5000

# index program_enrollment_page
_PROGRAM: Final = """
select e.id, json_build_object('student_key', e.external_user_key, 'status', e.status, 'account_exists',
  e.user_id is not null, 'curriculum_uuid', e.curriculum_uuid, 'username', coalesce(a.username, ''),
  'email', coalesce(a.email, ''))::text as line
from program_enrollment e left join account a on a.user_id = e.user_id
where (e.program_uuid, e.id) > ($1::uuid, $2::bigint) and e.program_uuid <= $1
order by e.program_uuid, e.id limit $3
"""
# index program_course_enrollment_page, for one course; of all courses in the order of their numbers
_COURSE: Final = """
select c.course_n, c.id, json_build_object('course_id', coalesce(r.external_key, k.spelling), 'student_key',
  e.external_user_key, 'status', c.status, 'account_exists', e.user_id is not null, 'course_staff',
  case when e.user_id is null then coalesce(c.course_staff, false)
    else exists (select from team_member t where t.course_key = k.key and t.user_id = e.user_id and t.role = 'staff'
      and not t.removed) end)::text as line
from program_course_enrollment c join program_enrollment e on e.id = c.program_enrollment_id
join course k on k.n = c.course_n left join program_run r on r.program_uuid = c.program_uuid and r.course_key = k.key
where (c.program_uuid, c.course_n, c.id) > ($1::uuid, $2::bigint, $3::bigint)
  and (c.program_uuid, c.course_n) <= ($1, coalesce($4::bigint, 9223372036854775807))
order by c.program_uuid, c.course_n, c.id limit $5
"""
# index enrollment_course
_ENROLLMENTS: Final = """
select e.id, json_build_object('username', a.username, 'email', a.email, 'course_id', k.spelling, 'mode', e.mode,
  'is_active', e.is_active, 'created', iso(e.created))::text as line
from enrollment e join course k on k.n = e.course_n left join account a on a.user_id = e.user_id
where (e.course_n, e.id) > ($1::bigint, $2::bigint) and e.course_n <= $1 order by e.course_n, e.id limit $3
"""


async def export_pages(pool: asyncpg.Pool, job: Job) -> AsyncIterator[list[str]]:
    """JSON texts, a page at a time."""
    course, last = (job.course_n or 0), 0
    while True:
        if job.kind is Kind.PROGRAM_ENROLLMENTS:
            rows = await pool.fetch(_PROGRAM, job.program_uuid, last, PAGE)
        elif job.kind is Kind.COURSE_ENROLLMENTS:
            rows = await pool.fetch(_COURSE, job.program_uuid, course, last, job.course_n, PAGE)
            course = rows[-1]["course_n"] if rows else course
        else:
            rows = await pool.fetch(_ENROLLMENTS, job.course_n, last, PAGE)
        if not rows:
            return
        last = rows[-1]["id"]
        yield [row["line"] for row in rows]
        if len(rows) < PAGE:
            return
