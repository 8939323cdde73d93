"""Reading history: pages of versions, of one block's forms, and the rows that differ between two versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from content.versions.errors import VersionNotFound
from content.versions.queries import Connection

# Between versions further apart than this two whole trees are joined: past some thousand changes that is cheaper.
NEAR = 1000

_VERSION_COLUMNS = """v.guid, v.number, v.previous, v.original, v.edited_by, v.editor, v.edited_on, v.reason, v.source,
  br.name, br.course_key, br.head"""
# version_guid
_BY_GUID = f"""
select {_VERSION_COLUMNS}, v.branch_id
from version v join branch br on br.id = v.branch_id join course c using (course_key)
where v.guid = $1 and c.deleted_at is null"""
# version_pkey, backwards from the cursor: a page costs its own rows, wherever it is
_PAGE = """
select guid, number, previous, original, edited_by, editor, edited_on, reason, source from version
where branch_id = $1 and number < $2 order by number desc limit $3"""
# block_past, backwards from the cursor; its neighbours by the same index, one row each
_FORMS = """
select b.block_id, b.type, b.parent_id, b.definition, b.settings, b.children, b.extra, b.digest,
  b.from_version, b.to_version, v.guid, v.number, v.previous, v.original, v.edited_by, v.editor, v.edited_on, v.reason,
  v.source, e.guid as ended_guid, e.edited_on as ended_on, e.edited_by as ended_by, e.editor as ended_editor,
  e.reason as ended_reason, e.source as ended_source,
  b.to_version is not null and not exists (
    select from block n where n.branch_id = b.branch_id and n.block_id = b.block_id and n.from_version = b.to_version)
  as was_removed
from block b join version v on v.branch_id = b.branch_id and v.number = b.from_version
left join version e on e.branch_id = b.branch_id and e.number = b.to_version
where b.branch_id = $1 and b.block_id = $2 and b.from_version < $3
order by b.from_version desc limit $4"""
# branch_course_key_name_key
_BRANCH = """
select br.id, br.name, br.head, br.guid from branch br join course c using (course_key)
where br.course_key = $1 and br.name = $2 and c.deleted_at is null"""
# block_past: the ids of one branch, without their rows
_NAMED = """
select distinct block_id from block where branch_id = $1 and block_id like '%@' || $2 order by block_id limit 2"""

# block_from and block_to give the ids, block_past both forms of each
_NEAR_SHAPE = """
with c as (
    select block_id from block where branch_id = $1 and from_version > $2 and from_version <= $3
    union select block_id from block where branch_id = $1 and to_version > $2 and to_version <= $3)
select c.block_id, a.*, z.* from c
left join lateral (
    select {a} from (
      select * from block x where x.branch_id = $1 and x.block_id = c.block_id and x.from_version <= $2
      order by x.from_version desc limit 1) b where b.to_version is null or b.to_version > $2) a on true
left join lateral (
    select {z} from (
      select * from block x where x.branch_id = $1 and x.block_id = c.block_id and x.from_version <= $3
      order by x.from_version desc limit 1) b where b.to_version is null or b.to_version > $3) z on true
where a.a_digest is distinct from z.z_digest
order by c.block_id"""
# block_span, once for each of the two
_FAR_SHAPE = """
with a as (
    select {a}, b.block_id from block b
    where b.branch_id = $1 and int8range(b.from_version, b.to_version) @> $2::bigint),
  z as (
    select {z}, b.block_id from block b
    where b.branch_id = $3 and int8range(b.from_version, b.to_version) @> $4::bigint)
select block_id, {both} from a full join z using (block_id)
where a.a_digest is distinct from z.z_digest order by block_id"""
_PARTS = ("type", "parent_id", "definition", "settings", "children", "extra", "digest")


def _named(prefix: str) -> str:
    return ", ".join(f"b.{part} as {prefix}_{part}" for part in _PARTS)


_NEAR = _NEAR_SHAPE.format(a=_named("a"), z=_named("z"))
_FAR = _FAR_SHAPE.format(
    a=_named("a"), z=_named("z"), both=", ".join(f"{side}_{part}" for side in ("a", "z") for part in _PARTS)
)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one branch: which, who, when, why and from what."""

    guid: str
    number: int
    previous: str | None
    original: str
    edited_by: int | None
    editor: str | None
    edited_on: datetime
    reason: str
    source: dict[str, object] | None


@dataclass(frozen=True, slots=True)
class Placed:
    """A version, and the branch whose it is."""

    version: Version
    course_key: str
    branch: str
    branch_id: int
    head: int

    @property
    def is_head(self) -> bool:
        return self.version.number == self.head


@dataclass(frozen=True, slots=True)
class Form:
    """What a row says about a block in one version."""

    type: str
    parent: str | None
    definition: bytes | None
    settings: Mapping[str, object]
    children: tuple[str, ...]
    extra: Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class BlockForm:
    """A form a block once took: the version that gave it, and the one that took it away without giving another."""

    form: Form
    version: Version
    removed: Version | None
    since: int
    until: int | None


@dataclass(frozen=True, slots=True)
class Pair:
    """One row before and after; None where it was not, or is not."""

    block_id: str
    before: Form | None
    after: Form | None


@dataclass(frozen=True, slots=True)
class BranchHead:
    """Where a branch is now."""

    id: int
    name: str
    number: int
    guid: str


def _version(row: asyncpg.Record) -> Version:
    return Version(
        row["guid"].hex(),
        row["number"],
        row["previous"].hex() if row["previous"] else None,
        row["original"].hex(),
        row["edited_by"],
        row["editor"],
        row["edited_on"],
        row["reason"],
        row["source"],
    )


def _placed(row: asyncpg.Record) -> Placed:
    return Placed(_version(row), row["course_key"], row["name"], row["branch_id"], row["head"])


async def get_placed(connection: Connection, guid: str) -> Placed:
    """The version with this guid, of a course that is there. Raises `VersionNotFound`."""
    row = await connection.fetchrow(_BY_GUID, bytes.fromhex(guid) if len(guid) == 24 else b"")
    if row is None:
        raise VersionNotFound(f"There is no version {guid}.")
    return _placed(row)


async def find_branch(connection: Connection, course_key: str, name: str) -> BranchHead | None:
    row = await connection.fetchrow(_BRANCH, course_key, name)
    return BranchHead(row["id"], row["name"], row["head"], row["guid"].hex()) if row else None


async def list_versions(connection: Connection, branch: BranchHead, *, before: int, limit: int) -> list[Version]:
    """Versions of a branch with a number below *before*, newest first."""
    # no higher than the head: with a bound beyond every number the planner expects half the table
    bound = min(before, branch.number + 1)
    return [_version(row) for row in await connection.fetch(_PAGE, branch.id, bound, limit)]


async def list_forms(
    connection: Connection, branch_id: int, block_id: str, *, before: int, limit: int
) -> list[BlockForm]:
    """The forms a block took in versions below *before*, newest first."""
    return [
        BlockForm(_form(row, ""), _version(row), _ended(row), row["from_version"], row["to_version"])
        for row in await connection.fetch(_FORMS, branch_id, block_id, before, limit)
    ]


def _ended(row: asyncpg.Record) -> Version | None:
    if not row["was_removed"]:
        return None
    return Version(
        row["ended_guid"].hex(),
        row["to_version"],
        None,
        row["original"].hex(),
        row["ended_by"],
        row["ended_editor"],
        row["ended_on"],
        row["ended_reason"],
        row["ended_source"],
    )


async def find_block_ids(connection: Connection, branch_id: int, name: str) -> list[str]:
    """Ids (at most two) of the blocks of this name that a branch has, or ever had."""
    pattern = name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return [row["block_id"] for row in await connection.fetch(_NAMED, branch_id, pattern)]


def _form(row: asyncpg.Record, prefix: str) -> Form:
    return Form(
        row[f"{prefix}type"],
        row[f"{prefix}parent_id"],
        row[f"{prefix}definition"],
        row[f"{prefix}settings"],
        tuple(row[f"{prefix}children"]),
        row[f"{prefix}extra"],
    )


async def list_differences(connection: Connection, one: Placed | None, other: Placed) -> list[Pair]:
    """Every row that is not the same in both versions, of whatever branches; without *one*, all of *other*."""
    if one is None:
        rows = await connection.fetch(_NEAR, other.branch_id, 0, other.version.number)
        return [_pair(row) for row in rows]
    near = one.branch_id == other.branch_id and abs(one.version.number - other.version.number) <= NEAR
    if near and one.version.number > other.version.number:
        turned = await list_differences(connection, other, one)
        return [Pair(pair.block_id, pair.after, pair.before) for pair in turned]
    if near:
        rows = await connection.fetch(_NEAR, one.branch_id, one.version.number, other.version.number)
    else:
        places = (one.branch_id, one.version.number, other.branch_id, other.version.number)
        rows = await connection.fetch(_FAR, *places)
    return [_pair(row) for row in rows]


def _pair(row: asyncpg.Record) -> Pair:
    before = _form(row, "a_") if row["a_digest"] else None
    return Pair(row["block_id"], before, _form(row, "z_") if row["z_digest"] else None)
