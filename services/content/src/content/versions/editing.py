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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg
import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from common.keys import CourseKey
from content.courses.announcing import announce_course
from content.versions.branches import Block, BranchEdit
from content.versions.errors import CourseGone, StaleMatch, VersionConflict
from content.versions.models import DRAFT, LIBRARY, PUBLISHED, Definition, Difference, Json, Live, Row, define
from content.versions.operations import Author, lock_branches, store_definitions, write_version
from content.versions.queries import read_definitions

_STANDS: Final = "select deleted_at is null from course where course_key = $1"


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
