"""Editing a course: the one way in which rows of an existing course change, at a price set by the change.

Every writer of blocks, assets and files does the same four things:

    edit = await open_edit(await raw(session), course, author, if_match=if_match(request))  # locks, checks
    block = await edit.draft.get("html@intro")                         # reads the rows it needs, and no others
    edit.draft.put(block.changed(settings={**block.settings, "display_name": "Hello"}))
    saved = await edit.save(session)                                   # at most one version a branch, or none

`open_edit` locks the branch rows of the course in a statement of its own, in id order; what is read afterwards is what
the transaction before left. `edit.draft` and `edit.published` are the two branches; of a library `edit.draft` is its
only branch, and `edit.published` is None.

Rows are `Block`s: blocks (`html@intro`), files uploaded (`$asset@name.png`) and other files (`$file@policies/x.json`)
alike. Make one with `Block(block_id, type, …)`, change one with `block.changed(…)`; both are values. Content fields
are a definition: `edit.define(type, fields)` gives its guid, `await edit.fields_of(block)` reads it.

A branch sees its own pending changes: `find`, `get`, `ancestors`, `subtree` answer as if they were stored. `put` and
`drop` need no earlier read; what equals the stored row is left out when the edit is saved, so an edit that changes
nothing makes no version, announces nothing, and writes nothing. `put_everywhere` and `drop_everywhere` are for rows
without a draft state (assets, files), which are the same on both branches.

`save` stores definitions, writes draft and published (whose rows then name the draft version they came from), and
announces the course when the published branch moved. It does not commit, and may be called once.

What a change of the draft means for the published branch is in `publishing`: call `publish_itself` after changing a
block of a direct-only type, `publish`, `discard`, `unpublish` for subtrees; going back to a version is in `reverting`.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self, TypedDict, Unpack

import asyncpg
import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from common.keys import CourseKey
from content.courses.announcing import announce_course
from content.versions.errors import BlockUnknown, CourseGone, StaleMatch, VersionConflict
from content.versions.models import (
    DRAFT,
    LIBRARY,
    PUBLISHED,
    Definition,
    Difference,
    Json,
    Live,
    Row,
    define,
    make_row,
)
from content.versions.operations import Author, Head, lock_branches, store_definitions, write_version
from content.versions.queries import read_definitions

MAX_DEPTH: Final = 100

_STANDS = "select deleted_at is null from course where course_key = $1"
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


@dataclass(frozen=True, slots=True)
class Saved:
    """Where the branches are after an edit."""

    guid: str
    """Head of the draft (of a library: of its branch)."""
    published_guid: str | None
    changed: frozenset[str]
    """Names of the branches that have a new version."""

    def __bool__(self) -> bool:
        return bool(self.changed)


class Edit:
    """An edit of one course under the locks of its branches. Made by `open_edit`."""

    def __init__(
        self, connection: asyncpg.Connection, course: CourseKey, author: Author, branches: Mapping[str, BranchEdit]
    ) -> None:
        self.course, self.author = course, author
        self.connection = connection
        self._branches = dict(branches)
        self._definitions: dict[bytes, Definition] = {}

    @property
    def draft(self) -> BranchEdit:
        """Where authors write: the draft branch of a course, the one branch of a library."""
        return self._branches[LIBRARY if self.course.is_library else DRAFT]

    @property
    def published(self) -> BranchEdit | None:
        """What learners read; a library has none."""
        return self._branches.get(PUBLISHED)

    @property
    def branches(self) -> Sequence[BranchEdit]:
        return list(self._branches.values())

    def define(self, block_type: str, fields: Json) -> bytes | None:
        """The definition that these content fields are; stored when the edit is saved. None when there are none."""
        definition = define(block_type, fields)
        if definition is None:
            return None
        self._definitions[definition.guid] = definition
        return definition.guid

    async def fields_of(self, block: Block) -> dict[str, object]:
        """The block's content fields, those defined in this edit included."""
        if block.definition is None:
            return {}
        if block.definition in self._definitions:
            fields: dict[str, object] = orjson.loads(self._definitions[block.definition].fields)
            return fields
        return (await read_definitions(self.connection, [block.definition])).get(block.definition, {})

    def put_everywhere(self, block: Block) -> None:
        """Put a row without a draft state (an asset, a file) on every branch."""
        for branch in self.branches:
            branch.put(block)

    def drop_everywhere(self, block_id: str) -> None:
        for branch in self.branches:
            branch.drop(block_id)

    async def save(self, session: AsyncSession) -> Saved:
        """Write what changed, one version a branch that changed, and announce the course if learners are concerned."""
        changes = {name: await branch.pending() for name, branch in self._branches.items()}
        changed = frozenset(name for name, change in changes.items() if change)
        if changed:
            await self._store_definitions(changes)
        for name in (DRAFT, LIBRARY, PUBLISHED):
            if name in changed:
                await self._write(self._branches[name], changes[name], changes.get(DRAFT, {}))
        if PUBLISHED in changed:
            await announce_course(session, self.connection, self.course, created=False)
        published = self.published.guid if self.published else None
        return Saved(self.draft.guid, published, changed)

    async def _store_definitions(self, changes: Mapping[str, Mapping[str, Block | None]]) -> None:
        used = {block.definition for change in changes.values() for block in change.values() if block}
        await store_definitions(self.connection, (d for guid, d in self._definitions.items() if guid in used))

    async def _write(
        self, branch: BranchEdit, change: Mapping[str, Block | None], drafts: Mapping[str, Block | None]
    ) -> None:
        put = tuple(block.row for block in change.values() if block is not None)
        gone = tuple(block_id for block_id, block in change.items() if block is None)
        added = sum(branch.stored(row.block_id) is None for row in put)
        sources = await self._sources(put, drafts) if branch.name == PUBLISHED else None
        branch.head = await write_version(
            self.connection, branch.head, Difference(put, gone, added), self.author, sources=sources
        )

    async def _sources(self, rows: Sequence[Row], written: Mapping[str, Block | None]) -> dict[str, Live]:
        """For published rows: since which version the draft, *written* before, has had the block as it is there."""
        drafts = await self.draft.find_many(row.block_id for row in rows)
        sources = {}
        for row in rows:
            if row.block_id in drafts:
                stored = self.draft.stored(row.block_id)
                since = self.draft.head.number if row.block_id in written or stored is None else stored.since
                sources[row.block_id] = Live(row.digest, since)
        return sources


async def open_edit(
    connection: asyncpg.Connection,
    course: CourseKey,
    author: Author,
    *,
    if_match: Sequence[str] | None = None,
    version: str | None = None,
    branch: str | None = None,
) -> Edit:
    """Lock the branches of a course for changing them.

    *if_match*: guids one of which the head must have (`*` is any). *version*: the version that the address named, which
    must be the head. Both are of *branch*, by default where authors write.

    Raises `CourseGone`, `StaleMatch` (412), `VersionConflict` (409); the latter two say `current_version`.
    """
    names = (LIBRARY,) if course.is_library else (DRAFT, PUBLISHED)
    heads = await lock_branches(connection, course.canonical, names)
    if len(heads) != len(names) or not await connection.fetchval(_STANDS, course.canonical):
        raise CourseGone
    edit = Edit(connection, course, author, {name: BranchEdit(connection, heads[name]) for name in names})
    current = edit.draft.guid if branch is None or branch not in heads else heads[branch].guid.hex()
    if if_match is not None and "*" not in if_match and current not in if_match:
        raise StaleMatch(current_version=current)
    if version is not None and version != current:
        raise VersionConflict(current_version=current)
    return edit


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
