"""One branch, read a few rows at a time: what stands in it, and what is about to.

`content.versions.editing` says how it is used.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Self, TypedDict, Unpack

import asyncpg

from common.keys import CourseKey
from content.versions.errors import BlockUnknown
from content.versions.models import LIBRARY, Json, Row, make_row
from content.versions.operations import Head

# branch_course_key_name_key
_BRANCH = """
select br.id, br.head, br.guid from course c join branch br using (course_key)
where c.course_key = $1 and br.name = $2 and c.deleted_at is null"""
COLUMNS = """b.block_id, b.type, b.parent_id, b.definition, b.settings, b.children, b.extra, b.digest, b.from_version,
  b.source_version"""
# Each of these goes through block_live, once a row.
_FIND = f"""
select {COLUMNS} from block b where b.branch_id = $1 and b.block_id = any($2::text[]) and b.to_version is null"""
# `union` without `all` ends the walk in a tree that an old import left with a circle. The ids found are handed on as an
# array: joined to them, the planner would rather read the whole branch once.
_ANCESTORS = f"""
with recursive line(block_id) as (
  select $2::text collate "C"
  union
  select b.parent_id from line l join block b on b.branch_id = $1 and b.block_id = l.block_id and b.to_version is null
  where b.parent_id is not null)
select {COLUMNS} from block b
where b.branch_id = $1 and b.block_id = any(array(select block_id from line)) and b.to_version is null"""
_SUBTREE = f"""
with recursive walk(block_id) as (
  select $2::text collate "C"
  union
  select k.child from walk w join block b on b.branch_id = $1 and b.block_id = w.block_id and b.to_version is null
  cross join unnest(b.children) k(child))
select {COLUMNS} from block b
where b.branch_id = $1 and b.block_id = any(array(select block_id from walk)) and b.to_version is null"""
# block_root
_ROOT = """
select b.block_id from block b
where b.branch_id = $1 and b.to_version is null and b.parent_id is null and b.type = 'course'"""
_LIBRARY_ROOT = "library@library"


class BlockChange(TypedDict, total=False):
    """What of a block can be replaced."""

    parent: str | None
    definition: bytes | None
    settings: Json
    children: tuple[str, ...]
    extra: Json | None


@dataclass(frozen=True, slots=True)
class Block:
    """A row, stored or to be stored. Change it by `changed` only: the digest of a stored row is trusted."""

    block_id: str
    type: str
    parent: str | None = None
    definition: bytes | None = None
    settings: Json = field(default_factory=dict)
    children: tuple[str, ...] = ()
    extra: Json | None = None
    digest: bytes = b""
    since: int = 0
    """The version of its branch in which it took this form; 0 when it is not stored yet."""
    source: int | None = None
    """For a published row: the version of the draft that it came from."""

    def changed(self, **change: Unpack[BlockChange]) -> Self:
        """The same block with some of it replaced."""
        return replace(self, digest=b"", **change)

    @property
    def row(self) -> Row:
        made = make_row(
            self.block_id,
            self.type,
            parent=self.parent,
            definition=self.definition,
            settings=self.settings,
            children=self.children,
            extra=self.extra,
        )
        return replace(made, digest=self.digest) if self.digest else made


def says_the_same(one: Block | None, other: Block | None) -> bool:
    """Would the two be stored alike? JSON decides: to Python 1, 1.0 and True are equal."""
    if one is None or other is None:
        return one is other
    if one.digest and one.digest == other.digest:
        return True
    return one.changed().row.digest == other.changed().row.digest


class BranchEdit:
    """One locked branch: what stands in it, and what is about to."""

    def __init__(self, connection: asyncpg.Connection, head: Head) -> None:
        self.head = head
        self._connection = connection
        self._stored: dict[str, Block | None] = {}
        self._pending: dict[str, Block | None] = {}

    @property
    def name(self) -> str:
        return self.head.name

    @property
    def guid(self) -> str:
        return self.head.guid.hex()

    async def find(self, block_id: str) -> Block | None:
        return (await self.find_many([block_id])).get(block_id)

    async def get(self, block_id: str) -> Block:
        """Raises `BlockUnknown`."""
        found = await self.find(block_id)
        if found is None:
            raise BlockUnknown(block_id)
        return found

    async def find_many(self, block_ids: Iterable[str]) -> dict[str, Block]:
        """Those of the blocks that exist, in the order asked for; one query for all that were not read before."""
        asked = list(block_ids)
        await self._load(block_id for block_id in asked if block_id not in self._pending)
        found = ((block_id, self._now(block_id)) for block_id in asked)
        return {block_id: block for block_id, block in found if block is not None}

    async def root(self) -> Block:
        """Raises `BlockUnknown` for a branch without one."""
        if self.name == LIBRARY:
            return await self.get(_LIBRARY_ROOT)
        root = await self._connection.fetchval(_ROOT, self.head.branch_id)
        return await self.get(root or "course@course")

    async def ancestors(self, block_id: str) -> list[Block]:
        """Parent first, root last."""
        await self._prefetch(_ANCESTORS, block_id)
        line: dict[str, Block] = {}
        block = await self.find(block_id)
        while block is not None and block.parent is not None and block.parent not in line:
            block = await self.find(block.parent)
            if block is not None:
                line[block.block_id] = block
        return list(line.values())

    async def subtree(self, block_id: str) -> dict[str, Block]:
        """The block and what is below it, parents before children; empty when there is no such block."""
        await self._prefetch(_SUBTREE, block_id)
        found: dict[str, Block] = {}
        level = [block_id]
        while level:
            blocks = await self.find_many(child for child in level if child not in found)
            found |= blocks
            level = [child for block in blocks.values() for child in block.children]
        return found

    def put(self, block: Block) -> None:
        """The block stands like this from the next version on."""
        self._pending[block.block_id] = block

    def drop(self, block_id: str) -> None:
        """The block is gone from the next version on. Its parent still lists it, unless you change that too."""
        self._pending[block_id] = None

    async def pending(self) -> dict[str, Block | None]:
        """What would be written: rows that differ from what is stored, and (None) those that go."""
        await self._load(self._pending)
        return {
            block_id: block
            for block_id, block in self._pending.items()
            if not says_the_same(block, self._stored[block_id])
        }

    def stored(self, block_id: str) -> Block | None:
        """The block as it was before this edit; only for one that was read."""
        return self._stored[block_id]

    def know(self, rows: Iterable[asyncpg.Record]) -> list[Block]:
        """Take rows of the branch that another statement read under its lock."""
        blocks = [block_of(row) for row in rows]
        for block in blocks:
            self._stored.setdefault(block.block_id, block)
        return blocks

    def _now(self, block_id: str) -> Block | None:
        return self._pending[block_id] if block_id in self._pending else self._stored.get(block_id)

    async def _load(self, block_ids: Iterable[str]) -> None:
        unread = [block_id for block_id in dict.fromkeys(block_ids) if block_id not in self._stored]
        if not unread:
            return
        self.know(await self._connection.fetch(_FIND, self.head.branch_id, unread))
        for block_id in unread:
            self._stored.setdefault(block_id, None)

    async def _prefetch(self, statement: str, block_id: str) -> None:
        self.know(await self._connection.fetch(statement, self.head.branch_id, block_id))


async def read_branch(connection: asyncpg.Connection, course: CourseKey, name: str) -> BranchEdit | None:
    """A branch to read from, not locked: its head, blocks and subtrees as they are found. None when there is none."""
    row = await connection.fetchrow(_BRANCH, course.canonical, name)
    return BranchEdit(connection, Head(row["id"], name, row["head"], row["guid"])) if row else None


def new_block_id(block_type: str) -> str:
    """A name nobody else has: 32 hex digits."""
    return f"{block_type}@{uuid.uuid4().hex}"


def block_of(row: asyncpg.Record) -> Block:
    """From a row with `COLUMNS`."""
    return Block(
        row["block_id"],
        row["type"],
        row["parent_id"],
        row["definition"],
        row["settings"],
        tuple(row["children"]),
        row["extra"],
        row["digest"],
        row["from_version"],
        row["source_version"],
    )
