"""Undo a whole job: what it wrote is as it was before, except where somebody has changed it since."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from enrollment.commands.batches import carry_out
from enrollment.commands.schemas import CommandRead, read_items
from enrollment.enrollments.changes import Origin, int_array
from enrollment.enrollments.models import Options, Wish
from enrollment.enrollments.setting import Wanted
from enrollment.enrollments.setting import set_enrollments as store_enrollments
from enrollment.jobs.models import BROKER_USER, Job, Row
from enrollment.jobs.work import Outcome, locked_program
from enrollment.program_enrollments.courses import lock_courses

UNCHECKED: Final = Options(
    ignore_window=True, ignore_capacity=True, ignore_invitation=True, ignore_mode_expiry=True, any_mode=True
)
# Courses before the programs they hang on, enrollments last; index program_history_job, enrollment_history_job.
STAGE: Final = """
insert into enrollment_job_row (job_id, n, folded, data)
select $1, row_number() over (order by s.what, s.id desc), '', json_build_object('what', s.what, 'id', s.id)::text
from (
  select 1 as what, id from program_history where job_id = $2 and course_n is not null
  union all select 2, id from program_history where job_id = $2 and course_n is null
  union all select 3, id from enrollment_history where command_id = $3 and (source = 'job' or broker_user = 'job')
  union all select 4, id from enrollment_allowed where command_id = $3 and broker_user = 'job' and user_id is null
) s
"""
_COURSE, _PROGRAM, _ENROLLMENT, _WAITING = 1, 2, 3, 4

_PROGRAM_LINES: Final = """
select h.id, h.old_status, h.program_enrollment_id, h.course_n, e.external_user_key as student_key, k.spelling,
  case when h.course_n is null then e.version else c.version end = h.version as is_same,
  h.course_n is null and exists (
    select from program_course_enrollment o where o.program_enrollment_id = e.id) as is_used
from program_history h left join program_enrollment e on e.id = h.program_enrollment_id
left join program_course_enrollment c on c.program_enrollment_id = e.id and c.course_n = h.course_n
left join course k on k.n = h.course_n
where h.id = any($1::text::bigint[])
"""
_PUT_BACK: Final = """
with u as (
  update program_enrollment e set status = i.status, version = e.version + 1, modified = now()
  from unnest($1::text::bigint[], $2::text[]) as i(id, status) where e.id = i.id
  returning e.id, e.status, e.user_id, e.version)
insert into program_history (program_enrollment_id, source, actor, status, user_id, version)
select id, 'undo', $3, status, user_id, version from u
"""
_PUT_BACK_COURSES: Final = """
with u as (
  update program_course_enrollment c set status = i.status, version = c.version + 1, modified = now()
  from unnest($1::text::bigint[], $2::text::bigint[], $3::text[]) as i(enrollment_id, course_n, status)
  where c.program_enrollment_id = i.enrollment_id and c.course_n = i.course_n
  returning c.program_enrollment_id, c.course_n, c.status, c.version)
insert into program_history (program_enrollment_id, course_n, source, actor, status, version)
select program_enrollment_id, course_n, 'undo', $4, status, version from u
"""
_DELETE: Final = "delete from program_enrollment where id = any($1::text::bigint[])"
_DELETE_COURSES: Final = """
delete from program_course_enrollment c
using unnest($1::text::bigint[], $2::text::bigint[]) as i(enrollment_id, course_n)
where c.program_enrollment_id = i.enrollment_id and c.course_n = i.course_n
"""
_ENROLLMENT_LINES: Final = """
select h.id, h.user_id, h.course_n, h.old_mode, h.old_active, k.key, k.spelling, a.username,
  e.version = h.version as is_same,
  exists (select from program_enrollment p join program_course_enrollment c on c.program_enrollment_id = p.id
    where p.user_id = h.user_id and c.course_n = h.course_n and c.status = 'active') as is_held
from enrollment_history h join course k on k.n = h.course_n
join enrollment e on e.user_id = h.user_id and e.course_n = h.course_n
left join account a on a.user_id = h.user_id
where h.id = any($1::text::bigint[])
"""
_WAITING_LINES: Final = """
select id, email, course_key from enrollment_allowed
where id = any($1::text::bigint[]) and command_id = $2 and user_id is null
"""


async def undo_rows(connection: asyncpg.Connection, job: Job, rows: Sequence[Row], *, now: datetime) -> list[Outcome]:
    """A piece of an undo job."""
    if job.program_uuid:
        await locked_program(connection, job)
    by_kind: dict[int, list[int]] = {}
    for row in rows:
        by_kind.setdefault(_number(row, "what"), []).append(_number(row, "id"))
    found: dict[tuple[int, int], Outcome] = {}
    for what, ids in sorted(by_kind.items()):
        if what in (_COURSE, _PROGRAM):
            outcomes = await _undo_program(connection, job, ids, courses=what == _COURSE)
        elif what == _ENROLLMENT:
            outcomes = await _undo_enrollments(connection, job, ids, now=now)
        else:
            outcomes = await _undo_waiting(connection, job, ids, now=now)
        found |= {(what, number): outcome for number, outcome in outcomes.items()}
    gone = Outcome({"outcome": "changed-since"}, good=False)
    return [found.get((_number(row, "what"), _number(row, "id")), gone) for row in rows]


def _number(row: Row, name: str) -> int:
    value = row.data[name]
    return value if isinstance(value, int) else 0


async def _undo_program(
    connection: asyncpg.Connection, job: Job, ids: Sequence[int], *, courses: bool
) -> Mapping[int, Outcome]:
    lines = await connection.fetch(_PROGRAM_LINES, int_array(ids))
    if courses:
        await lock_courses(connection, [line["course_n"] for line in lines])
    same = [line for line in lines if line["is_same"] and (line["old_status"] is not None or not line["is_used"])]
    made = [line for line in same if line["old_status"] is None]
    changed = [line for line in same if line["old_status"] is not None]
    made_ids = int_array(line["program_enrollment_id"] for line in made)
    changed_ids = int_array(line["program_enrollment_id"] for line in changed)
    statuses = [line["old_status"] for line in changed]
    if courses:
        await connection.execute(_DELETE_COURSES, made_ids, int_array(line["course_n"] for line in made))
        numbers = int_array(line["course_n"] for line in changed)
        await connection.execute(_PUT_BACK_COURSES, changed_ids, numbers, statuses, job.owner)
    else:
        await connection.execute(_DELETE, made_ids)
        await connection.execute(_PUT_BACK, changed_ids, statuses, job.owner)
    done = {line["id"] for line in same}
    return {
        line["id"]: _outcome(line["id"] in done, student_key=line["student_key"], course_id=line["spelling"])
        for line in lines
    }


async def _undo_enrollments(
    connection: asyncpg.Connection, job: Job, ids: Sequence[int], *, now: datetime
) -> Mapping[int, Outcome]:
    lines = await connection.fetch(_ENROLLMENT_LINES, int_array(ids))
    # of a learner in a course only the last change can still be what is there
    same = [line for line in lines if line["is_same"] and not (line["is_held"] and not line["old_active"])]
    wanted = [Wanted(line["user_id"], line["key"], _wish(line["old_mode"], line["old_active"])) for line in same]
    origin = Origin(source="undo", actor=job.owner, reason=f"undo of job {job.undo_of}")
    if wanted:
        await store_enrollments(connection, wanted, origin=origin, now=now)
    done = {line["id"] for line in same}
    return {
        line["id"]: _outcome(line["id"] in done, username=line["username"], course_id=line["spelling"])
        for line in lines
    }


def _wish(old_mode: str | None, old_active: bool | None) -> Wish | None:
    if old_mode is None:
        return None
    return Wish(mode=old_mode, is_active=bool(old_active), options=UNCHECKED)


async def _undo_waiting(
    connection: asyncpg.Connection, job: Job, ids: Sequence[int], *, now: datetime
) -> Mapping[int, Outcome]:
    lines = await connection.fetch(_WAITING_LINES, int_array(ids), str(job.undo_of))
    items: dict[int, object] = {line["id"]: {"email": line["email"], "course_id": line["course_key"]} for line in lines}
    if not items:
        return {}
    command = CommandRead(
        kind="unenroll",
        broker_user=BROKER_USER,
        command_id=str(job.id),
        digest=b"",
        actor=job.owner,
        reason=None,
        issued_at=now,
        expires_at=None,
        options=Options(),
        items=read_items(items),
        raw_items=items,
        reply_to=None,
    )
    results = (await carry_out(connection, [command], now=now))[command.identity]
    return {
        line["id"]: _outcome(
            results[line["id"]].outcome == "unenrolled", email=line["email"], course_id=line["course_key"]
        )
        for line in lines
    }


def _outcome(undone: bool, **named: str | None) -> Outcome:
    line: dict[str, object] = {name: value for name, value in named.items() if value is not None}
    return Outcome(line | {"outcome": "undone" if undone else "changed-since"}, undone)


def scope_id(job: Job) -> tuple[UUID, UUID | None, str]:
    """The arguments of `STAGE`."""
    return job.id, job.undo_of, str(job.undo_of)
