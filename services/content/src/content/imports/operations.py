"""Importing a course or a library: one transaction swaps its branches, or nothing happens."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import asyncpg
import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from common.blobs import BlobMissing, BlobStore, asset_key
from common.database import raw
from common.identity import grants_cover
from common.keys import CourseKey, InvalidKey
from content.commands.errors import (
    AssetMissing,
    BadSnapshot,
    CourseUnknown,
    NameNotFree,
    NotACourse,
    SnapshotMissing,
    StaleHead,
)
from content.commands.rights import find_authored
from content.commands.schemas import ImportCourse, Requester
from content.courses.announcing import announce_course
from content.courses.operations import Creator, branch_names, claim_course, open_branches, welcome_creator
from content.events import CommandCompleted
from content.imports.snapshots import Rows, build_rows, read_snapshot, root_only
from content.thumbnails.models import is_drawn
from content.thumbnails.operations import want_thumbnails
from content.versions.models import ASSET, DRAFT, FILE, LIBRARY, PUBLISHED, Difference, Row, canonical, difference
from content.versions.operations import (
    Author,
    Head,
    live_after,
    live_rows,
    lock_branches,
    store_definitions,
    write_version,
)
from content.versions.queries import find_heads

COMMAND = "content.import_course.v1"

_OTHER = "select course_key from course where dotted = $1 and deleted_at is null"
_SOURCE = "update course set source = $2::text::jsonb where course_key = $1"
_CLAIM = """
insert into asset_claim (digest) select d from unnest($1::bytea[]) d order by d
on conflict (digest) do update set claimed_at = now()"""


NO_CHANGES = {f"{kinds}_{what}": 0 for kinds in ("blocks", "assets", "files") for what in ("changed", "removed")}


@dataclass(frozen=True, slots=True)
class Plan:
    """What the import would change, counted."""

    draft: Difference
    published: Difference
    counts: dict[str, int]

    def __bool__(self) -> bool:
        return bool(self.draft or self.published)


async def import_course(session: AsyncSession, blobs: BlobStore, command: ImportCourse) -> CommandCompleted:
    """Carry out `content.import_course.v1`. Raises a `Rejected`."""
    course = _course_of(command)
    connection = await raw(session)
    exists = await _decide(connection, course, command)
    if exists and (standing := await _still_standing(connection, course, command)):
        return await _completed(connection, course, command, standing, "unchanged", NO_CHANGES)
    rows = await _rows(blobs, command.snapshot, course)
    creating = False
    if not exists and not command.dry_run:
        creating = await _claim(connection, course, command)
        if not creating:
            exists = await _decide(connection, course, command, must_exist=True)
    if creating:
        heads = await open_branches(connection, course)
    else:
        heads = await lock_branches(connection, course.canonical, branch_names(course))
        if exists:
            # whoever deleted it meanwhile held these locks: what was true before them may not be any more
            await _decide(connection, course, command, must_exist=True)
    main = LIBRARY if course.is_library else DRAFT
    _check_head(command, heads.get(main) if exists else None)
    published = None if course.is_library else _wanted_published(rows, command, new=not exists)
    live = {name: await live_rows(connection, head) for name, head in heads.items()}
    plan = _plan(
        rows.draft, difference(rows.draft, live.get(main, {})),
        published, Difference((), (), 0) if published is None else difference(published, live.get(PUBLISHED, {})),
        rows.drafts,
    )  # fmt: skip
    if command.dry_run or not (plan or creating):
        return await _answer(connection, course, command, heads, plan)
    await _secure_assets(connection, blobs, plan)
    author = _author(command)
    await store_definitions(connection, rows.definitions)
    sources = live.get(main, {})
    if plan.draft:
        heads[main] = await write_version(connection, heads[main], plan.draft, author)
        sources = live_after(sources, plan.draft, heads[main])
    if plan.published:
        heads[PUBLISHED] = await write_version(connection, heads[PUBLISHED], plan.published, author, sources=sources)
    if command.source:
        await connection.execute(_SOURCE, course.canonical, canonical(command.source.model_dump()).decode())
    if creating:
        await welcome_creator(
            session,
            connection,
            course,
            creator=_creator(command.requested_by),
            spelling=command.spelling or course.canonical,
            now=datetime.now(UTC),
        )
    if plan.published or creating:
        await announce_course(session, connection, course, created=creating)
    return await _answer(connection, course, command, heads, plan, done=True)


def _course_of(command: ImportCourse) -> CourseKey:
    """Raises `NotACourse`."""
    try:
        return CourseKey.parse(command.course_id)
    except InvalidKey as error:
        raise NotACourse(f"{error}.") from error


async def _still_standing(
    connection: asyncpg.Connection, course: CourseKey, command: ImportCourse
) -> dict[str, str] | None:
    """The heads, when they are those at which the sender knows the course to hold what it sends."""
    if command.unchanged_at is None:
        return None
    heads = await find_heads(connection, course.canonical)
    known = (command.unchanged_at.draft, command.unchanged_at.published)
    return heads if known == (_guid(heads, DRAFT), _guid(heads, PUBLISHED)) else None


def _creator(requester: Requester) -> Creator:
    return Creator(requester.user_id, requester.username)


async def _decide(
    connection: asyncpg.Connection, course: CourseKey, command: ImportCourse, *, must_exist: bool = False
) -> bool:
    """Does the course exist, and may the requester do this to it? Raises `NotPermitted`, `CourseUnknown`."""
    who = command.requested_by
    if await find_authored(connection, course, who) is not None:
        return True
    may_create = command.may_create and (who.is_staff or grants_cover(who.creator_grants, course.org, course.course))
    if must_exist or not may_create:
        raise CourseUnknown
    return False


async def _claim(connection: asyncpg.Connection, course: CourseKey, command: ImportCourse) -> bool:
    """True when the course is ours to make; False when another transaction made it while we waited."""
    spelling = command.spelling if command.spelling in (course.canonical, course.slashed) else course.canonical
    creator = _creator(command.requested_by)
    if await claim_course(connection, course, spelling=spelling or course.canonical, creator=creator):
        return True
    other = await connection.fetchval(_OTHER, course.dotted.casefold())
    if other != course.canonical:
        raise NameNotFree(f"{NameNotFree()} It is {other}.")
    return False


async def _rows(blobs: BlobStore, key: str, course: CourseKey) -> Rows:
    """The snapshot's rows; read and hashed in a thread, so that heartbeats go on. Raises `BadSnapshot`."""
    try:
        data = await blobs.get_bytes(key)
    except (BlobMissing, ValueError) as error:
        raise SnapshotMissing(f"The snapshot {key!r} is not in the blob store.") from error

    def build() -> Rows:
        snapshot = read_snapshot(data)
        kind = "library" if course.is_library else "course"
        if snapshot.blocks[snapshot.root].type != kind:
            raise BadSnapshot(f"The snapshot's root {snapshot.root} is not that of a {kind}.")
        return build_rows(snapshot)

    return await asyncio.to_thread(build)


def _check_head(command: ImportCourse, head: Head | None) -> None:
    if command.expected_head is None:
        return
    now = head.guid.hex() if head else None
    if now != command.expected_head:
        raise StaleHead(f"The draft of the course is at {now or 'no version'}, not at {command.expected_head}.")


def _wanted_published(rows: Rows, command: ImportCourse, *, new: bool) -> dict[str, Row] | None:
    """What the published branch is to hold; None when it is to stay as it is."""
    if command.publish:
        return rows.published
    return root_only(rows.published) if new else None


def _plan(
    draft: Mapping[str, Row],
    draft_change: Difference,
    published: Mapping[str, Row] | None,
    published_change: Difference,
    drafts: int,
) -> Plan:
    """Counts are over both branches together: a block new in both is one block added."""

    def kind(block_id: str) -> str:
        block_type = block_id.partition("@")[0]
        return {ASSET: "assets", FILE: "files"}.get(block_type, "blocks")

    standing = draft.keys() | (published or {}).keys()
    counts = {name: 0 for kinds in ("blocks", "assets", "files") for name in (kinds, f"{kinds}_changed")}
    counts |= {f"{kinds}_removed": 0 for kinds in ("blocks", "assets", "files")}
    for block_id in standing:
        counts[kind(block_id)] += 1
    for block_id in {row.block_id for change in (draft_change, published_change) for row in change.put}:
        counts[f"{kind(block_id)}_changed"] += 1
    for block_id in {block_id for change in (draft_change, published_change) for block_id in change.gone} - standing:
        counts[f"{kind(block_id)}_removed"] += 1
    counts["drafts"] = drafts
    return Plan(draft_change, published_change, counts)


def _author(command: ImportCourse) -> Author:
    source: dict[str, object] = {"archive": command.archive_digest} if command.archive_digest else {}
    if command.source:
        source |= command.source.model_dump(exclude_none=True)
    who = command.requested_by
    return Author(who.user_id, who.username, "import", source or None)


async def _secure_assets(connection: asyncpg.Connection, blobs: BlobStore, plan: Plan) -> None:
    """Every asset about to be referred to has its bytes, and is claimed so that the sweep leaves them alone.

    Raises `AssetMissing`.
    """
    changed = {row.block_id: row for change in (plan.draft, plan.published) for row in change.put if row.type == ASSET}
    if not changed:
        return
    said = {block_id: orjson.loads(row.settings) for block_id, row in changed.items()}
    digests = {str(asset["digest"]): block_id for block_id, asset in said.items()}
    await connection.execute(_CLAIM, [bytes.fromhex(digest) for digest in digests])
    await want_thumbnails(connection, (asset["digest"] for asset in said.values() if is_drawn(_type_of(asset))))
    for digest, size in zip(digests, await blobs.sizes([asset_key(digest) for digest in digests]), strict=True):
        if size is None:
            raise AssetMissing(
                f"The bytes of {digests[digest].partition('@')[2]} ({digest}) are not in the blob store."
            )


def _type_of(asset: Mapping[str, object]) -> str:
    return str(asset.get("content_type") or "")


async def _answer(
    connection: asyncpg.Connection,
    course: CourseKey,
    command: ImportCourse,
    heads: Mapping[str, Head],
    plan: Plan,
    *,
    done: bool = False,
) -> CommandCompleted:
    guids = {branch: head.guid.hex() for branch, head in heads.items()}
    outcome: Literal["done", "unchanged"] = "done" if done or plan else "unchanged"
    return await _completed(connection, course, command, guids, outcome, plan.counts)


async def _completed(
    connection: asyncpg.Connection,
    course: CourseKey,
    command: ImportCourse,
    heads: Mapping[str, str],
    outcome: Literal["done", "unchanged"],
    counts: dict[str, int],
) -> CommandCompleted:
    version = await connection.fetchval("select announced from course where course_key = $1", course.canonical)
    return CommandCompleted(
        command_id=str(command.command_id),
        command=COMMAND,
        course_id=course.canonical,
        outcome=outcome,
        version=version,
        draft_guid=_guid(heads, DRAFT),
        published_guid=_guid(heads, PUBLISHED),
        counts=counts,
    )


def _guid(heads: Mapping[str, str], branch: str) -> str | None:
    """Of a library the one branch is both what is written and what is read."""
    return heads.get(branch) or heads.get(LIBRARY)
