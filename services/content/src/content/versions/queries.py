"""Reading versions: trees at a branch's head or at any version, definitions, files."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

import asyncpg

from common.keys import CourseKey
from content.versions.errors import VersionNotFound
from content.versions.models import ASSET, FILE, local_id
from content.versions.tree import Node, Tree


class Connection(Protocol):
    """A pool or a connection: the reads here are single statements, and do not care."""

    async def fetch(self, query: str, *args: object) -> list[asyncpg.Record]: ...
    async def fetchrow(self, query: str, *args: object) -> asyncpg.Record | None: ...
    async def fetchval(self, query: str, *args: object) -> object: ...


# Guid and rows come from one statement: a reader between two versions sees the whole of one of them.
_BLOCK = "b.block_id, b.type, b.parent_id, b.children, b.settings, b.extra, b.definition, b.from_version"
_COLUMNS = f"c.course_key, c.spelling, br.name, v.guid, v.number, v.edited_on, {_BLOCK}"
_OF_HEAD = f"""
select {_COLUMNS}
from course c join branch br using (course_key) join version v on v.branch_id = br.id and v.number = br.head
left join block b on b.branch_id = br.id and b.to_version is null and b.type <> all($3::text[])
where c.course_key = $1 and c.deleted_at is null and br.name = $2"""
_OF_VERSION = f"""
select {_COLUMNS}
from version v join branch br on br.id = v.branch_id join course c using (course_key)
left join block b on b.branch_id = v.branch_id and int8range(b.from_version, b.to_version) @> v.number
  and b.type <> all($2::text[])
where v.guid = $1"""
# One block with what is above and below it: a few rows, whatever the size of the course and the age of the version.
# Each row is the last of its block that is not younger than the version (block_past).
_STOOD = """lateral (
    select s.* from (
      select * from block where branch_id = at.branch_id and block_id = {} and from_version <= at.number
      order by from_version desc limit 1) s
    where s.to_version is null or s.to_version > at.number)"""
_PART = f"""
  up as (
    select b.* from at, {_STOOD.format("$1")} b where b.type <> all($2::text[])
    union select b.* from at, up, {_STOOD.format("up.parent_id")} b),
  down as (
    select * from up where block_id = $1
    union select b.* from at, down, unnest(down.children) child, {_STOOD.format("child")} b)
select at.course_key, at.spelling, at.name, at.guid, at.number, at.edited_on, {_BLOCK}
from at left join (select * from up union select * from down) b on true"""
_PART_OF_HEAD = f"""
with recursive at as (
  select c.course_key, c.spelling, br.name, v.guid, v.number, v.edited_on, v.branch_id
  from course c join branch br using (course_key) join version v on v.branch_id = br.id and v.number = br.head
  where c.course_key = $3 and c.deleted_at is null and br.name = $4), {_PART}"""
_PART_OF_VERSION = f"""
with recursive at as (
  select c.course_key, c.spelling, br.name, v.guid, v.number, v.edited_on, v.branch_id
  from version v join branch br on br.id = v.branch_id join course c using (course_key)
  where v.guid = $3), {_PART}"""
_HEADS = """
select br.name, br.guid from course c join branch br using (course_key)
where c.course_key = $1 and c.deleted_at is null"""
_VERSION = """
select c.course_key, br.name, v.number
from version v join branch br on br.id = v.branch_id join course c using (course_key)
where v.guid = $1 and c.deleted_at is null"""
_DEFINITIONS = "select guid, fields from definition where guid = any($1::bytea[])"
_ROWS = """
select b.block_id, b.settings, b.definition from version v
join block b on b.branch_id = v.branch_id and int8range(b.from_version, b.to_version) @> v.number and b.type = $2
where v.guid = $1 order by b.block_id"""
# version_guid, then the primary key
_EDITS = """
select w.guid, v.number, v.edited_on, v.editor
from unnest($1::bytea[], $2::bigint[]) w(guid, number) join version h on h.guid = w.guid
join version v on v.branch_id = h.branch_id and v.number = w.number"""
_DIFFERENT = """
with one as (
    select b.block_id, b.digest from version v join block b
      on b.branch_id = v.branch_id and int8range(b.from_version, b.to_version) @> v.number where v.guid = $1),
  other as (
    select b.block_id, b.digest from version v join block b
      on b.branch_id = v.branch_id and int8range(b.from_version, b.to_version) @> v.number where v.guid = $2)
select exists (
  select from one full join other using (block_id) where one.digest is distinct from other.digest)"""
_NOT_BLOCKS = [ASSET, FILE]


def _tree(rows: Sequence[asyncpg.Record]) -> Tree:
    first = rows[0]
    nodes = {
        row["block_id"]: Node(
            row["block_id"],
            row["type"],
            local_id(row["block_id"]),
            row["parent_id"],
            tuple(row["children"]),
            row["settings"],
            row["extra"],
            row["definition"],
            row["from_version"],
        )
        for row in rows
        if row["block_id"] is not None
    }
    return Tree(
        CourseKey.parse(first["course_key"]),
        first["spelling"],
        first["name"],
        first["guid"].hex(),
        first["number"],
        first["edited_on"],
        nodes,
    )


async def find_heads(connection: Connection, course_key: str) -> dict[str, str]:
    """Guid of the head of each branch of a course; empty when there is no such course."""
    return {row["name"]: row["guid"].hex() for row in await connection.fetch(_HEADS, course_key)}


async def find_head_tree(connection: Connection, course_key: str, branch: str) -> Tree | None:
    """The tree at the head of a branch; None when the course or the branch does not exist."""
    rows = await connection.fetch(_OF_HEAD, course_key, branch, _NOT_BLOCKS)
    return _tree(rows) if rows else None


async def get_version_tree(connection: Connection, guid: str) -> Tree:
    """The tree of any version there ever was. Raises `VersionNotFound`."""
    rows = await connection.fetch(_OF_VERSION, _guid(guid), _NOT_BLOCKS)
    if not rows:
        raise VersionNotFound(f"There is no version {guid}.")
    return _tree(rows)


async def find_head_part(connection: Connection, course_key: str, branch: str, block_id: str) -> Tree | None:
    """Of the tree at the head of a branch just one block, its ancestors and what is below it."""
    rows = await connection.fetch(_PART_OF_HEAD, block_id, _NOT_BLOCKS, course_key, branch)
    return _tree(rows) if rows else None


async def get_version_part(connection: Connection, guid: str, block_id: str) -> Tree:
    """Of the tree of any version just one block, its ancestors and what is below it. Raises `VersionNotFound`."""
    rows = await connection.fetch(_PART_OF_VERSION, block_id, _NOT_BLOCKS, _guid(guid))
    if not rows:
        raise VersionNotFound(f"There is no version {guid}.")
    return _tree(rows)


async def find_version(connection: Connection, guid: str) -> tuple[str, str, int] | None:
    """Course, branch and number of a version."""
    row = await connection.fetchrow(_VERSION, _guid(guid))
    return (row["course_key"], row["name"], row["number"]) if row else None


async def read_definitions(connection: Connection, guids: Iterable[bytes | None]) -> dict[bytes, dict[str, object]]:
    """Content fields by definition guid."""
    wanted = list({guid for guid in guids if guid is not None})
    if not wanted:
        return {}
    return {row["guid"]: row["fields"] for row in await connection.fetch(_DEFINITIONS, wanted)}


async def read_assets(connection: Connection, guid: str) -> dict[str, dict[str, object]]:
    """Metadata of the uploaded files of a version, by name."""
    rows = await connection.fetch(_ROWS, _guid(guid), ASSET)
    return {local_id(row["block_id"]): row["settings"] for row in rows}


async def read_files(connection: Connection, guid: str) -> dict[str, str]:
    """The other files of a version (policies and what else must survive a round trip), by path."""
    rows = await connection.fetch(_ROWS, _guid(guid), FILE)
    fields = await read_definitions(connection, (row["definition"] for row in rows))
    return {local_id(row["block_id"]): str(fields[row["definition"]]["text"]) for row in rows}


async def is_different(connection: Connection, one: str, other: str) -> bool:
    """Do two versions, of whatever branches, hold anything different? Answered from digests."""
    return bool(await connection.fetchval(_DIFFERENT, _guid(one), _guid(other)))


def _guid(text: str) -> bytes:
    """12 bytes of a guid; one that is not 24 hex digits (ours are) names nothing."""
    return bytes.fromhex(text) if len(text) == 24 else b""


async def read_edits(
    connection: Connection, wanted: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], tuple[datetime, str | None]]:
    """When, and by whom, versions were made: by a guid of their branch and their number in it."""
    pairs = set(wanted)
    rows = await connection.fetch(_EDITS, [_guid(guid) for guid, _ in pairs], [number for _, number in pairs])
    return {(row["guid"].hex(), row["number"]): (row["edited_on"], row["editor"]) for row in rows}
