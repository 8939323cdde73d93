"""Writing a course, as a branch or a version has it, into the blob store for whoever exports it."""

from dataclasses import dataclass

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from common.blobs import BlobStore
from common.database import raw
from common.keys import CourseKey, InvalidKey
from common.messaging import outbox
from content.commands.errors import CourseUnknown, NotACourse, NothingThere, VersionUnknown
from content.commands.rights import find_authored
from content.commands.schemas import SnapshotCourse
from content.events import CommandCompleted
from content.imports.snapshots import Block, describe_drafts, ordered, write_snapshot
from content.versions.models import DRAFT, LIBRARY, PUBLISHED
from content.versions.queries import (
    find_heads,
    find_version,
    get_version_tree,
    is_different,
    read_assets,
    read_definitions,
    read_files,
)
from content.versions.tree import Tree

COMMAND = "content.snapshot_course.v1"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The version to write, and the version whose differences from it go along as drafts."""

    main: str
    drafts: str | None
    heads: dict[str, str]


async def snapshot_course(session: AsyncSession, blobs: BlobStore, command: SnapshotCourse) -> CommandCompleted:
    """Carry out `content.snapshot_course.v1`. Raises a `Rejected`.

    `if_not_version` is compared with the main tree alone; both heads are in the answer, so that the asker can tell
    whether the drafts beside it are still those it knows.
    """
    try:
        course = CourseKey.parse(command.course_id)
    except InvalidKey as error:
        raise NotACourse(f"{error}.") from error
    connection = await raw(session)
    version = await find_authored(connection, course, command.requested_by)
    if version is None:
        raise CourseUnknown
    wanted = await _wanted(connection, course, command)
    unchanged = command.if_not_version == wanted.main
    key: str | None = None
    counts: dict[str, int] = {}
    if not unchanged:
        key = f"snapshots/{outbox.new_id().hex}"
        data, counts = await _write(connection, course, wanted)
        await blobs.put_bytes(key, data)
    return CommandCompleted(
        command_id=str(command.command_id),
        command=COMMAND,
        course_id=course.canonical,
        outcome="unchanged" if unchanged else "done",
        version=version,
        draft_guid=wanted.heads.get(DRAFT) or wanted.heads.get(LIBRARY),
        published_guid=wanted.heads.get(PUBLISHED) or wanted.heads.get(LIBRARY),
        counts=counts,
        snapshot=key,
    )


async def _wanted(connection: asyncpg.Connection, course: CourseKey, command: SnapshotCourse) -> Wanted:
    heads = await find_heads(connection, course.canonical)
    if command.version is not None:
        place = await find_version(connection, command.version)
        if place is None or place[0] != course.canonical:
            raise VersionUnknown(f"{course} has no version {command.version}.")
        return Wanted(command.version, None, heads)
    if LIBRARY in heads:
        return Wanted(heads[LIBRARY], None, heads)
    if PUBLISHED not in heads or DRAFT not in heads:
        raise CourseUnknown
    if command.branch is not None:
        return Wanted(heads[command.branch], None, heads)
    return Wanted(heads[PUBLISHED], heads[DRAFT], heads)


async def _write(connection: asyncpg.Connection, course: CourseKey, wanted: Wanted) -> tuple[bytes, dict[str, int]]:
    tree = await get_version_tree(connection, wanted.main)
    blocks = await _blocks(connection, tree)
    root = tree.root or ""
    drafts: dict[str, Block] = {}
    if wanted.drafts and await is_different(connection, wanted.main, wanted.drafts):
        draft = await _blocks(connection, await get_version_tree(connection, wanted.drafts))
        drafts = describe_drafts(blocks, draft)
    assets = await read_assets(connection, wanted.main)
    files = await read_files(connection, wanted.main)
    if not root:
        raise NothingThere
    named = {"course_id": course.canonical, "org": course.org, "number": course.course, "run": course.run}
    counts = {"blocks": len(blocks), "drafts": len(drafts), "assets": len(assets), "files": len(files)}
    return write_snapshot(named, root, ordered(blocks, root), drafts, assets, files), counts


async def _blocks(connection: asyncpg.Connection, tree: Tree) -> dict[str, Block]:
    fields = await read_definitions(connection, (node.definition for node in tree.nodes.values()))
    return {
        node.block_id: Block(
            node.type,
            fields[node.definition] if node.definition else {},
            node.settings,
            list(node.children),
            node.extra or {},
            node.parent,
        )
        for node in tree.nodes.values()
    }
