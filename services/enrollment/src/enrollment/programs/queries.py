"""Questions about programs."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

import asyncpg

from enrollment.programs.models import Program


class Asks(Protocol):
    """A connection, or the pool."""

    async def fetchrow(self, query: str, *values: object) -> asyncpg.Record | None: ...
    async def fetch(self, query: str, *values: object) -> list[asyncpg.Record]: ...


_PROGRAM: Final = """
select uuid, title, type, slug, organization, curriculum_uuid from program where uuid = $1 and not deleted
"""
# Everybody who writes enrollments of a program holds its row: what they then read cannot change before they commit.
_LOCK: Final = f"{_PROGRAM} for no key update"
_LOCK_ALL: Final = """
select uuid, title, type, slug, organization, curriculum_uuid from program where uuid = any($1::uuid[])
order by uuid for no key update
"""
_OF_ORGANIZATIONS: Final = "select uuid from program where organization = any($1::text[]) order by uuid"
_RUN: Final = """
select c.n, c.key, c.spelling, c.deleted, r.program_uuid is not null as is_member, r.external_key
from course c left join program_run r on r.course_key = c.key and r.program_uuid = $1
where c.key = $2
"""
_RUNS: Final = """
select r.course_key, r.external_key, c.n, c.spelling
from program_run r join course c on c.key = r.course_key and not c.deleted where r.program_uuid = $1
"""

# By primary key, linked_id_key and program_enrollment_key. A key that the gateway links to nobody any more may still be
# an enrolled learner's, who was linked by then; and what an operator linked by hand stands over the gateway's link.
_KEYS: Final = """
select i.program_uuid, i.folded, case when e.by_hand then e.user_id else coalesce(l.user_id, e.user_id) end as user_id
from unnest($1::uuid[], $2::text[]) as i(program_uuid, folded)
join program p on p.uuid = i.program_uuid and not p.deleted
left join linked_id l on l.organization = p.organization and l.folded = i.folded and not l.removed
left join lateral (
  select e.user_id, e.by_hand from program_enrollment e
  where e.program_uuid = i.program_uuid and e.folded = i.folded and e.user_id is not null
  order by e.by_hand desc, e.id limit 1) e on true
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A course run, and whether the program asked about has it."""

    n: int
    key: str
    spelling: str
    is_member: bool
    external_key: str | None


async def find_program(asks: Asks, uuid: UUID) -> Program | None:
    row = await asks.fetchrow(_PROGRAM, uuid)
    return Program(*row) if row else None


async def lock_program(connection: asyncpg.Connection, uuid: UUID) -> Program | None:
    """The program, its enrollments kept for this transaction alone."""
    row = await connection.fetchrow(_LOCK, uuid)
    return Program(*row) if row else None


async def lock_programs(connection: asyncpg.Connection, uuids: Collection[UUID]) -> Mapping[UUID, Program]:
    """The same for several, deleted ones too; call it once in a transaction, before anything else is locked."""
    return {row["uuid"]: Program(*row) for row in await connection.fetch(_LOCK_ALL, list(uuids))}


async def find_programs_of(asks: Asks, organizations: Collection[str]) -> list[UUID]:
    """The programs, deleted ones too, whose learners these organizations identify."""
    return [row["uuid"] for row in await asks.fetch(_OF_ORGANIZATIONS, list(organizations))]


async def find_run(asks: Asks, program_uuid: UUID, course_key: str) -> Run | None:
    """A course that exists, whether the program has it or not."""
    row = await asks.fetchrow(_RUN, program_uuid, course_key)
    if row is None or row["deleted"]:
        return None
    return Run(row["n"], row["key"], row["spelling"], row["is_member"], row["external_key"])


async def find_runs(asks: Asks, program_uuid: UUID) -> list[Run]:
    """The runs of the program that exist."""
    rows = await asks.fetch(_RUNS, program_uuid)
    return [Run(row["n"], row["course_key"], row["spelling"], True, row["external_key"]) for row in rows]


async def find_by_keys(
    connection: asyncpg.Connection, keys: Collection[tuple[UUID, str]]
) -> dict[tuple[UUID, str], int | None]:
    """The account of each (program, folded external key), None where nobody is linked; of unknown programs nothing."""
    if not keys:
        return {}
    rows = await connection.fetch(_KEYS, [uuid for uuid, _ in keys], [folded for _, folded in keys])
    return {(row["program_uuid"], row["folded"]): row["user_id"] for row in rows}
