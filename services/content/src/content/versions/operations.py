"""Writing versions. Every writer locks the branch rows first, in a statement of its own.

In READ COMMITTED a statement keeps the snapshot it started with: one that waited for the lock and read in the same
statement would not see what the winner wrote, and would compute its changes from rows that are closed already.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from content.versions.models import Definition, Difference, Live, Row, canonical, new_guid


@dataclass(frozen=True, slots=True)
class Head:
    """A branch, locked, as it is now."""

    branch_id: int
    name: str
    number: int
    guid: bytes


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a version, why, and from what."""

    user_id: int | None
    username: str | None
    reason: str
    source: Mapping[str, object] | None = None


_CREATE = """
insert into branch (course_key, name, head, guid, changed_at) values ($1, $2, 0, $3, now())
returning id, name, head, guid"""
_LOCK = (
    "select id, name, head, guid from branch where course_key = $1 and name = any($2::text[]) order by id for update"
)
_LIVE = "select block_id, digest, from_version from block where branch_id = $1 and to_version is null"
_MISSING = "select g from unnest($1::bytea[]) g where not exists (select from definition d where d.guid = g)"
_DEFINE = """
insert into definition (guid, type, fields)
select g, t, f::jsonb from unnest($1::bytea[], $2::text[], $3::text[]) u(g, t, f) order by g
on conflict do nothing"""
# `ins` must depend on `closed`: a row may only be written once its predecessor is closed (partial unique index).
_WRITE = """
with closed as (
    update block set to_version = $2
    where branch_id = $1 and to_version is null and block_id = any($9::text[]) returning block_id),
  ins as (
    insert into block (branch_id, block_id, from_version, type, parent_id, definition, settings, children, extra,
                       digest, source_version)
    select $1, u.b, $2, u.t, u.p, u.d, u.s::jsonb, u.c::text[], u.x::jsonb, u.h, u.v
    from unnest($10::text[], $11::text[], $12::text[], $13::bytea[], $14::text[], $15::text[], $16::text[],
                $17::bytea[], $18::bigint[]) u(b, t, p, d, s, c, x, h, v)
    where (select count(*) from closed) >= 0),
  ver as (
    insert into version (branch_id, number, guid, previous, original, edited_by, editor, reason, source)
    values ($1, $2, $3, $4, coalesce((select original from version where branch_id = $1 and number = $2 - 1), $3),
            $5, $6, $7, $8::text::jsonb))
update branch set head = $2, guid = $3, changed_at = now() where id = $1"""


async def create_branches(connection: asyncpg.Connection, course_key: str, names: Sequence[str]) -> dict[str, Head]:
    """New branches without a version; they belong to this transaction, nobody else can see them."""
    made = {}
    for name in names:
        row = await connection.fetchrow(_CREATE, course_key, name, new_guid())
        made[name] = Head(row["id"], row["name"], row["head"], row["guid"])
    return made


async def lock_branches(connection: asyncpg.Connection, course_key: str, names: Sequence[str]) -> dict[str, Head]:
    """The branches of a course that exist, locked in id order so that two writers never wait for each other."""
    rows = await connection.fetch(_LOCK, course_key, list(names))
    return {row["name"]: Head(row["id"], row["name"], row["head"], row["guid"]) for row in rows}


async def live_rows(connection: asyncpg.Connection, head: Head) -> dict[str, Live]:
    """What the branch holds now, by 16 bytes a row: enough to know what a write would change."""
    rows = await connection.fetch(_LIVE, head.branch_id)
    return {row["block_id"]: Live(row["digest"], row["from_version"]) for row in rows}


def live_after(live: Mapping[str, Live], change: Difference, head: Head) -> dict[str, Live]:
    """What the branch holds once *change* was written as the version that *head* now is."""
    gone = set(change.gone)
    kept = {block_id: row for block_id, row in live.items() if block_id not in gone}
    return kept | {row.block_id: Live(row.digest, head.number) for row in change.put}


async def store_definitions(connection: asyncpg.Connection, definitions: Iterable[Definition]) -> int:
    """Store those that are not there yet; the number of them."""
    wanted = {definition.guid: definition for definition in definitions}
    missing = [wanted[row["g"]] for row in await connection.fetch(_MISSING, list(wanted))] if wanted else []
    if missing:
        guids, types, fields = zip(*((d.guid, d.type, d.fields) for d in missing), strict=True)
        await connection.execute(_DEFINE, guids, types, fields)
    return len(missing)


def _array(values: Sequence[str]) -> str:
    """A PostgreSQL array literal: the lists of one statement may differ in length, which `text[][]` cannot."""
    quoted = ('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    return "{" + ",".join(quoted) + "}"


async def write_version(
    connection: asyncpg.Connection,
    head: Head,
    change: Difference,
    author: Author,
    *,
    sources: Mapping[str, Live] | None = None,
) -> Head:
    """One new version of a locked branch: close what changed or went, write what stands, move the head.

    *sources* (the live rows of the draft) lets published rows name the draft version they came from.
    """
    number, guid = head.number + 1, new_guid()
    closing = [row.block_id for row in change.put] + list(change.gone)

    def source_of(row: Row) -> int | None:
        found = sources.get(row.block_id) if sources else None
        return found.since if found and found.digest == row.digest else None

    rows = change.put
    await connection.execute(
        _WRITE,
        head.branch_id,
        number,
        guid,
        head.guid if head.number else None,
        author.user_id,
        author.username,
        author.reason,
        canonical(author.source).decode() if author.source else None,
        closing,
        [row.block_id for row in rows],
        [row.type for row in rows],
        [row.parent for row in rows],
        [row.definition for row in rows],
        [row.settings for row in rows],
        [_array(row.children) for row in rows],
        [row.extra for row in rows],
        [row.digest for row in rows],
        [source_of(row) for row in rows],
    )
    return Head(head.branch_id, head.name, number, guid)
