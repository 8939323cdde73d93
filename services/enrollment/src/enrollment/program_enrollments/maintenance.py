"""Enrollments that end by themselves or whole: expiry, retirement, reset."""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import orjson
import structlog

from common.database import raw
from common.messaging.envelope import COMMANDS
from common.resources import Resources
from enrollment.enrollments.changes import int_array
from enrollment.enrollments.setting import Wanted, set_enrollments
from enrollment.outgoing import Outgoing, record_all
from enrollment.program_enrollments.courses import lock_courses, origin_of
from enrollment.program_enrollments.operations import Author
from enrollment.programs.operations import forget_links
from enrollment.programs.queries import find_programs_of, lock_programs

log = structlog.get_logger()

DELETE_LINKED: Final = "accounts.delete_linked.v1"
RETIRED: Final = "retired_external_key_"

# index program_enrollment_waiting
_EXPIRED_PROGRAMS: Final = """
select distinct program_uuid from (
  select program_uuid from program_enrollment where user_id is null and modified <= $1 order by modified limit $2) s
"""
_EXPIRED: Final = """
select id from program_enrollment where user_id is null and modified <= $1 and program_uuid = any($2::uuid[])
order by modified limit $3
"""
_FORGET_HISTORY: Final = "delete from program_history where program_enrollment_id = any($1::text::bigint[])"
_DELETE: Final = "delete from program_enrollment where id = any($1::text::bigint[])"
# index program_enrollment_user
_OF_USERS: Final = """
select id, program_uuid, external_user_key from program_enrollment where user_id = any($1::bigint[]) order by id
"""
_HASH: Final = """
update program_enrollment e set external_user_key = i.key, folded = i.key, version = e.version + 1
from unnest($1::text::bigint[], $2::text[]) as i(id, key) where e.id = i.id
"""
_KNOWN_ORGANIZATION: Final = """
select exists (select from program where organization = $1)
  or exists (select from linked_id where organization = $1) or exists (select from course where org = $1)
"""
# index program_enrollment_page
_COUNTS: Final = """
select p.uuid, (select count(*) from program_enrollment e where e.program_uuid = p.uuid) as count
from program p where p.uuid = any($1::uuid[])
"""
_ALL_OF_PROGRAMS: Final = "select id from program_enrollment where program_uuid = any($1::uuid[]) order by id"
_COURSES_OF_PROGRAMS: Final = """
select distinct course_n from program_course_enrollment where program_uuid = any($1::uuid[])
"""
# Learners whom these programs alone have in their courses; indexes program_enrollment_page, program_enrollment_user.
_REALISED: Final = """
select distinct e.user_id, c.course_n, k.key
from program_enrollment e join program_course_enrollment c on c.program_enrollment_id = e.id
join course k on k.n = c.course_n
where e.program_uuid = any($1::uuid[]) and e.user_id is not null and not exists (
  select from program_enrollment o join program_course_enrollment p on p.program_enrollment_id = o.id
  where o.user_id = e.user_id and o.program_uuid <> all($1) and p.course_n = c.course_n and p.status = 'active')
order by 1, 2
"""


async def expire_waiting(connection: asyncpg.Connection, *, before: datetime, limit: int = 500) -> int:
    """Delete what has waited for an account since *before* or longer, with courses and history; returns how many."""
    rows = await connection.fetch(_EXPIRED_PROGRAMS, before, limit)
    programs = sorted(row["program_uuid"] for row in rows)
    if not programs:
        return 0
    await lock_programs(connection, programs)
    ids = [row["id"] for row in await connection.fetch(_EXPIRED, before, programs, limit)]
    await connection.execute(_FORGET_HISTORY, int_array(ids))
    await connection.execute(_DELETE, int_array(ids))
    if ids:
        log.info("waiting_program_enrollments_expired", ids=ids)
    return len(ids)


async def expire_all_waiting(resources: Resources, *, before: datetime) -> int:
    """The same, in as many transactions as it takes."""
    count = 0
    while True:
        async with resources.sessions.begin() as session:
            expired = await expire_waiting(await raw(session), before=before)
        if not expired:
            return count
        count += expired


async def count_programs(pool: asyncpg.Pool, programs: Collection[UUID]) -> dict[UUID, int]:
    """How many enrollments each of those programs has that there are, deleted ones too."""
    return {row["uuid"]: row["count"] for row in await pool.fetch(_COUNTS, list(programs))}


async def retire_keys(connection: asyncpg.Connection, user_ids: Collection[int]) -> int:
    """Replace the keys of people who asked to be forgotten, so that nothing leads back; returns how many.

    The salt is forgotten with the statement: the same key gives the same text once, and never again.
    """
    await forget_links(connection, user_ids)
    programs = {row["program_uuid"] for row in await connection.fetch(_OF_USERS, list(user_ids))}
    if not programs:
        return 0
    await lock_programs(connection, sorted(programs))
    rows = await connection.fetch(_OF_USERS, list(user_ids))
    salt = secrets.token_bytes(32)
    hashed = {
        row["id"]: _hashed(row["external_user_key"], salt)
        for row in rows
        if not row["external_user_key"].startswith(RETIRED)
    }
    if hashed:
        await connection.execute(_HASH, int_array(hashed), list(hashed.values()))
    return len(hashed)


def _hashed(key: str, salt: bytes) -> str:
    return RETIRED + hashlib.sha256(salt + key.encode("utf-8", "surrogatepass")).hexdigest()[:40]


async def is_organization_known(connection: asyncpg.Connection, organization: str) -> bool:
    """Of a program, of a linked key or of a course."""
    found: bool = await connection.fetchval(_KNOWN_ORGANIZATION, organization)
    return found


async def empty_programs(
    connection: asyncpg.Connection, programs: Sequence[UUID], *, author: Author, now: datetime
) -> int:
    """Delete all enrollments of the programs, and unenroll their learners; returns how many program enrollments.

    Who is in a course by another program as well stays in it. Raises what `set_enrollments` raises.
    """
    await lock_programs(connection, programs)
    # before the learners are looked at: another program may be about to put one into a course
    courses = await connection.fetch(_COURSES_OF_PROGRAMS, programs)
    await lock_courses(connection, [row["course_n"] for row in courses])
    rows = await connection.fetch(_REALISED, programs)
    if rows:
        wanted = [Wanted(row["user_id"], row["key"], None) for row in rows]
        origin = origin_of(programs[0], author)
        await set_enrollments(connection, wanted, origin=origin, now=now, deleted_too=True)
    ids = [row["id"] for row in await connection.fetch(_ALL_OF_PROGRAMS, programs)]
    await connection.execute(_FORGET_HISTORY, int_array(ids))
    await connection.execute(_DELETE, int_array(ids))
    log.info("programs_emptied", programs=[str(uuid) for uuid in programs], program_enrollments=len(ids))
    return len(ids)


async def reset_organization(
    connection: asyncpg.Connection, organization: str, *, author: Author, now: datetime
) -> None:
    """Empty the organization's programs, and ask for the accounts linked to its keys to be retired."""
    programs = await find_programs_of(connection, [organization])
    await empty_programs(connection, programs, author=author, now=now)
    body = {"command_id": str(uuid4()), "organization": organization, "requested_by": author.name}
    command = Outgoing(
        type=DELETE_LINKED,
        exchange=COMMANDS,
        body=orjson.dumps(body),
        aggregate=f"organization:{organization}",
    )
    await record_all(connection, [command])
