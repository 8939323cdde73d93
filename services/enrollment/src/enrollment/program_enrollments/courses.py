"""Writing program course enrollments: many records in a handful of statements, inside the caller's transaction."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from enrollment.enrollments.changes import Origin, int_array
from enrollment.program_enrollments.effects import Effect, apply_effects
from enrollment.program_enrollments.models import CourseRecord, Existing, Method, decide_course, pick
from enrollment.program_enrollments.operations import Author, Outcome
from enrollment.program_enrollments.staff import Wish, change_staff
from enrollment.programs.models import Program

# Two programs may write about one learner in one course at the same moment, each under its own lock: the courses are
# locked besides, after the program and in the order of their numbers.
_LOCK_COURSES: Final = """
select pg_advisory_xact_lock(1347571523, n) from (select n::int from unnest($1::bigint[]) as n order by n) as s
"""
# index program_enrollment_key
_ENROLLMENTS: Final = """
select id, folded, curriculum_uuid, status, user_id from program_enrollment
where program_uuid = $1 and folded = any($2::text[]) order by modified desc, id desc
"""
_COURSES: Final = """
select c.program_enrollment_id, c.course_n, c.id, c.status
from unnest($1::text::bigint[], $2::text::bigint[]) as i(enrollment_id, course_n)
join program_course_enrollment c on c.program_enrollment_id = i.enrollment_id and c.course_n = i.course_n
"""
# index program_enrollment_folded
_ELSEWHERE: Final = """
select e.folded, c.course_n from unnest($1::text[], $2::text::bigint[]) as i(folded, course_n)
join program_enrollment e on e.folded = i.folded and e.program_uuid <> $3
join program_course_enrollment c on c.program_enrollment_id = e.id and c.course_n = i.course_n and c.status = 'active'
"""
_INSERT: Final = """
with n as (
  insert into program_course_enrollment (program_enrollment_id, program_uuid, course_n, status)
  select i.enrollment_id, $1, i.course_n, i.status
  from unnest($2::text::bigint[], $3::text::bigint[], $4::text[]) with ordinality
    as i(enrollment_id, course_n, status, place)
  order by i.place
  returning program_enrollment_id, course_n, status, version
)
insert into program_history (program_enrollment_id, course_n, source, actor, job_id, status, version)
select program_enrollment_id, course_n, $5, $6, $7, status, version from n
"""
_UPDATE: Final = """
with u as (
  update program_course_enrollment c set status = i.status, modified = now(), version = c.version + 1
  from unnest($1::text::bigint[], $2::text[], $3::text[]) as i(id, status, old_status)
  where c.id = i.id
  returning c.program_enrollment_id, c.course_n, i.old_status, c.status, c.version
)
insert into program_history (program_enrollment_id, course_n, source, actor, job_id, old_status, status, version)
select program_enrollment_id, course_n, $4, $5, $6, old_status, status, version from u
"""


@dataclass(slots=True)
class _Writes:
    """What the decisions write."""

    created: list[tuple[int, int, str]]
    changed: list[tuple[int, str, str]]
    effects: list[tuple[int, int, str, Effect]]
    staff: list[Wish]


def origin_of(program_uuid: UUID, author: Author) -> Origin:
    """How changes of course enrollments are noted in their history."""
    return Origin(
        source="program" if author.job_id is None else "job",
        actor=author.name,
        reason=f"program {program_uuid}",
        command_id=None if author.job_id is None else str(author.job_id),
    )


async def lock_courses(connection: asyncpg.Connection, numbers: Sequence[int]) -> None:
    """Keep the programs' enrollments in these courses for this transaction; after the programs' own locks."""
    await connection.execute(_LOCK_COURSES, sorted(set(numbers)))


async def write_course_enrollments(
    connection: asyncpg.Connection,
    program: Program,
    records: Sequence[CourseRecord],
    method: Method,
    *,
    author: Author,
    now: datetime,
) -> list[Outcome]:
    """Create or change, with all that follows for the learners; an outcome for each record, in their order.

    The caller holds the program's lock. No key occurs twice in one course. Raises what `apply_effects` raises.
    """
    if not records:
        return []
    await lock_courses(connection, [record.course_n for record in records])
    enrollments: dict[str, list[Existing]] = defaultdict(list)
    folded = [record.folded for record in records]
    for row in await connection.fetch(_ENROLLMENTS, program.uuid, list(set(folded))):
        enrollments[row["folded"]].append(Existing(*row))
    found = [pick(enrollments.get(record.folded, ()), record.curriculum_uuid) for record in records]
    stored = await _stored(connection, records, found)
    numbers = int_array(record.course_n for record in records)
    rows = await connection.fetch(_ELSEWHERE, folded, numbers, program.uuid)
    elsewhere = {(row["folded"], row["course_n"]) for row in rows}
    outcomes: list[Outcome] = []
    writes = _Writes([], [], [], [])
    for record, enrollment in zip(records, found, strict=True):
        known = stored.get((enrollment.id, record.course_n)) if enrollment else None
        failure = decide_course(
            method,
            record.status,
            is_in_program=enrollment is not None,
            exists=known is not None,
            is_active_elsewhere=record.place in elsewhere,
        )
        outcomes.append(failure or record.status)
        if failure is None and enrollment is not None:
            _collect(writes, record, enrollment, known)
    by = author.source, author.name, author.job_id
    if writes.created:
        ids, courses, statuses = zip(*writes.created, strict=True)
        await connection.execute(_INSERT, program.uuid, int_array(ids), int_array(courses), list(statuses), *by)
    if writes.changed:
        numbers_changed, statuses, old = zip(*sorted(writes.changed), strict=True)
        await connection.execute(_UPDATE, int_array(numbers_changed), list(statuses), list(old), *by)
    await apply_effects(connection, writes.effects, origin=origin_of(program.uuid, author), now=now)
    await change_staff(connection, writes.staff, actor=author.name)
    return outcomes


async def _stored(
    connection: asyncpg.Connection, records: Sequence[CourseRecord], found: Sequence[Existing | None]
) -> Mapping[tuple[int, int], tuple[int, str]]:
    pairs = [(one.id, record.course_n) for record, one in zip(records, found, strict=True) if one]
    rows = await connection.fetch(_COURSES, int_array(one for one, _ in pairs), int_array(n for _, n in pairs))
    return {(row["program_enrollment_id"], row["course_n"]): (row["id"], row["status"]) for row in rows}


def _collect(writes: _Writes, record: CourseRecord, enrollment: Existing, known: tuple[int, str] | None) -> None:
    effect = None
    is_active = record.status == "active"
    if known is None:
        writes.created.append((enrollment.id, record.course_n, record.status))
        effect = Effect.CREATED_ACTIVE if is_active else Effect.CREATED_INACTIVE
    elif known[1] != record.status:
        writes.changed.append((known[0], record.status, known[1]))
        effect = Effect.ACTIVATED if is_active else Effect.DEACTIVATED
    if effect is not None and enrollment.user_id is not None:
        writes.effects.append((enrollment.user_id, record.course_n, record.course_key, effect))
    if record.course_staff is not None:
        wish = Wish(enrollment.id, enrollment.user_id, record.course_n, record.course_key, record.course_staff)
        writes.staff.append(wish)
