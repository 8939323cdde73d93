"""Writing program enrollments: many records in a handful of statements, inside the caller's transaction."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from enrollment.program_enrollments.models import Existing, Failure, Method, ProgramRecord, decide_program, pick
from enrollment.programs.models import Program

# index program_enrollment_key
_EXISTING: Final = """
select id, folded, curriculum_uuid, status, user_id from program_enrollment
where program_uuid = $1 and folded = any($2::text[]) order by modified desc, id desc
"""
# index linked_id_key; of two spellings the one that is asked for, else one that is alone
_LINKED: Final = """
select l.folded, l.external_key, a.user_id from linked_id l join account a on a.user_id = l.user_id
where l.organization = $1 and l.folded = any($2::text[]) and not l.removed
"""
# index program_enrollment_user
_TAKEN: Final = """
select user_id, curriculum_uuid from program_enrollment where program_uuid = $1 and user_id = any($2::bigint[])
"""
_INSERT: Final = """
with n as (
  insert into program_enrollment (program_uuid, curriculum_uuid, external_user_key, folded, status, user_id)
  select $1, i.curriculum_uuid, i.external_user_key, i.folded, i.status, i.user_id
  from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[]) with ordinality
    as i(curriculum_uuid, external_user_key, folded, status, user_id, place)
  order by i.place
  returning id, status, user_id, version
)
insert into program_history (program_enrollment_id, source, actor, job_id, status, user_id, version)
select id, $7, $8, $9, status, user_id, version from n
"""
_UPDATE: Final = """
with u as (
  update program_enrollment e set status = i.status, modified = now(), version = e.version + 1
  from unnest($1::bigint[], $2::text[], $3::text[]) as i(id, status, old_status)
  where e.id = i.id
  returning e.id, i.old_status, e.status, e.user_id, e.version
)
insert into program_history (program_enrollment_id, source, actor, job_id, old_status, status, old_user_id, user_id,
  version)
select id, $4, $5, $6, old_status, status, user_id, user_id, version from u
"""


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes, and by what way."""

    name: str | None
    source: str = "http"
    job_id: UUID | None = None


Outcome = str


async def write_program_enrollments(
    connection: asyncpg.Connection,
    program: Program,
    records: Sequence[ProgramRecord],
    method: Method,
    *,
    author: Author,
) -> list[Outcome]:
    """Create or change; the status written or a `Failure` for each record, in their order.

    The caller holds the program's lock (`programs.queries.lock_program`), so nobody else writes meanwhile. No key
    occurs twice.
    """
    folded = [record.folded for record in records]
    existing: dict[str, list[Existing]] = defaultdict(list)
    for row in await connection.fetch(_EXISTING, program.uuid, folded):
        existing[row["folded"]].append(Existing(*row))
    users = await _find_users(connection, program, [record for record in records if record.folded not in existing])
    taken = await _find_taken(connection, program, users.values())
    outcomes: list[Outcome] = []
    created: list[tuple[UUID, str, str, str, int | None]] = []
    changed: list[tuple[int, str, str]] = []
    for record in records:
        found = pick(existing.get(record.folded, ()), record.curriculum_uuid)
        user_id = users.get(record.folded)
        place = (user_id, record.curriculum_uuid)
        failure = decide_program(method, record.status, found, user_is_taken=place in taken)
        if failure is None and found is None and record.curriculum_uuid is None:
            failure = Failure.INTERNAL_ERROR  # a program without a curriculum, asked for by a job that names none
        outcomes.append(failure or record.status)
        if failure:
            continue
        if found:
            changed.append((found.id, record.status, found.status))
        elif record.curriculum_uuid:
            created.append((record.curriculum_uuid, record.key, record.folded, record.status, user_id))
            if user_id is not None:
                taken.add((user_id, record.curriculum_uuid))
    by = author.source, author.name, author.job_id
    if created:
        await connection.execute(_INSERT, program.uuid, *_columns(created), *by)
    if changed:
        await connection.execute(_UPDATE, *_columns(sorted(changed)), *by)
    return outcomes


def _columns(rows: Iterable[Sequence[object]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


async def _find_users(
    connection: asyncpg.Connection, program: Program, records: Sequence[ProgramRecord]
) -> Mapping[str, int]:
    """The accounts that the organization's keys are linked to, by folded key."""
    if program.organization is None or not records:
        return {}
    spelling = {record.folded: record.key for record in records}
    rows = await connection.fetch(_LINKED, program.organization, list(spelling))
    links: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        links[row["folded"]][row["external_key"]] = row["user_id"]
    users: dict[str, int] = {}
    for folded, by_spelling in links.items():
        exact = by_spelling.get(spelling[folded])
        if exact is not None:
            users[folded] = exact
        elif len(by_spelling) == 1:
            users[folded] = next(iter(by_spelling.values()))
    return users


async def _find_taken(
    connection: asyncpg.Connection, program: Program, user_ids: Iterable[int]
) -> set[tuple[int | None, UUID | None]]:
    wanted = list(user_ids)
    rows = await connection.fetch(_TAKEN, program.uuid, wanted) if wanted else []
    return {(row["user_id"], row["curriculum_uuid"]) for row in rows}
