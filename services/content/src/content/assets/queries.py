"""Finding assets: they are rows of the version, like everything else of a course, and equal on all its branches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from common.keys import CourseKey
from content.assets.serving import Asset
from content.versions.models import ASSET, local_id
from content.versions.queries import Connection

_COLUMNS = "b.block_id, b.settings, v.edited_on"
# A library has one branch. A file that only the draft of a course has is its team's to look at, and nobody's secret.
_BRANCHES = "('published', 'draft', 'library')"
# block_live, once a name
_FIND = f"""
select c.course_key, {_COLUMNS}
from course c join branch br on br.course_key = c.course_key and br.name in {_BRANCHES}
join block b on b.branch_id = br.id and b.block_id = any($2::text[]) and b.to_version is null
join version v on v.branch_id = br.id and v.number = b.from_version
where c.course_key = any($1::text[]) and c.deleted_at is null
order by array_position($2::text[], b.block_id::text), br.name = 'draft' limit 1"""
# course_place, then block_live
_LEGACY = f"""
select c.course_key, {_COLUMNS}
from course c join branch br on br.course_key = c.course_key and br.name in {_BRANCHES}
join block b on b.branch_id = br.id and b.block_id = any($3::text[]) and b.to_version is null
join version v on v.branch_id = br.id and v.number = b.from_version
where c.org = $1 and c.number = $2 and c.deleted_at is null
order by array_position($3::text[], b.block_id::text), br.name = 'draft', (c.spelling <> c.course_key) desc,
  c.created_at limit 1"""
# course_pkey, then block_live for the one name
_FIND_LISTING = f"""
select {_COLUMNS}, t.data is not null as has_thumbnail
from course c join branch br on br.course_key = c.course_key and br.name in ('draft', 'library')
join block b on b.branch_id = br.id and b.block_id = $2 and b.to_version is null
join version v on v.branch_id = br.id and v.number = b.from_version
left join thumbnail t on t.digest = decode(b.settings ->> 'digest', 'hex')
where c.course_key = $1 and c.deleted_at is null"""
# block_live: the range of its ids that are assets', `A` being what follows `@`. Thumbnails are looked up for the page.
_LIST = """
with head as (
  select br.id from course c join branch br on br.course_key = c.course_key and br.name in ('draft', 'library')
  where c.course_key = $1 and c.deleted_at is null),
listed as (
  select b.block_id, b.branch_id, b.from_version, b.settings,
    coalesce(nullif(b.settings ->> 'displayname', ''), substr(b.block_id, 8)) as display_name,
    coalesce(b.settings ->> 'content_type', 'application/octet-stream') as content_type
  from head join block b on b.branch_id = head.id and b.to_version is null
    and b.block_id >= '$asset@' and b.block_id < '$assetA'),
chosen as materialized (
  select l.*, v.edited_on
  from listed l join version v on v.branch_id = l.branch_id and v.number = l.from_version
  where ($2::text[] is null or split_part(l.content_type, ';', 1) = any($2)
         or ($3 and split_part(l.content_type, ';', 1) <> all($4::text[])))
    and not exists (select from unnest($5::text[]) token where position(lower(token) in lower(l.display_name)) = 0)),
counted as (select count(*) as total from chosen)
select total, page.block_id, page.settings, page.edited_on, t.data is not null as has_thumbnail
from counted
left join lateral (
  select * from chosen order by {order}
  limit $7 offset least($6, greatest(0, (total - 1) / $7 * $7))) page on true
left join thumbnail t on t.digest = decode(page.settings ->> 'digest', 'hex')
order by {order}"""
_EXPRESSIONS: Final = {
    "date_added": "edited_on",
    "uploadDate": "edited_on",
    "display_name": "lower(display_name)",
    "displayname": "lower(display_name)",
    "content_type": "content_type",
    "contentType": "content_type",
    "file_size": "settings -> 'size'",
    "length": "settings -> 'size'",
    "locked": "coalesce(settings -> 'locked', 'false')",
}


def _order(sort: str, *, ascending: bool) -> str:
    """What the list is sorted by; an unknown field leaves it in the order of names."""
    expression = _EXPRESSIONS.get(sort)
    return f"{expression} {'asc' if ascending else 'desc'} nulls last, block_id" if expression else "block_id"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which assets, in which order; `kinds` None means every type."""

    kinds: Sequence[str] | None
    with_others: bool
    known_kinds: Sequence[str]
    tokens: Sequence[str]
    sort: str
    ascending: bool
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Listing:
    """One line of the list of assets."""

    asset: Asset
    has_thumbnail: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Lines of the list, and how many there are in all."""

    total: int
    lines: list[Listing]


def _asset(row: asyncpg.Record) -> Asset:
    said = row["settings"]
    name = local_id(row["block_id"])
    size = said.get("size")
    return Asset(
        name,
        str(said["digest"]),
        size if isinstance(size, int) else -1,
        str(said.get("content_type") or "application/octet-stream"),
        str(said.get("displayname") or name),
        said.get("locked") is True,
        row["edited_on"],
    )


def _found(row: asyncpg.Record | None) -> tuple[CourseKey, Asset] | None:
    return (CourseKey.parse(row["course_key"]), _asset(row)) if row else None


async def find_asset(connection: Connection, course: CourseKey, *names: str) -> tuple[CourseKey, Asset] | None:
    """The first of these files that there is, and its course: an asset key does not tell a library from a course."""
    keys = [course.canonical]
    if course.run == "library":
        keys.append(CourseKey(course.org, course.course, course.run, "library").canonical)
    return _found(await connection.fetchrow(_FIND, keys, [f"{ASSET}@{name}" for name in names]))


async def find_legacy_asset(
    connection: Connection, org: str, number: str, *names: str
) -> tuple[CourseKey, Asset] | None:
    """A `/c4x/` address does not say the run: the oldest course of that name which has the file."""
    return _found(await connection.fetchrow(_LEGACY, org, number, [f"{ASSET}@{name}" for name in names]))


async def find_listing(connection: Connection, course: CourseKey, name: str) -> Listing | None:
    """A file of a course's draft, as the list has it."""
    row = await connection.fetchrow(_FIND_LISTING, course.canonical, f"{ASSET}@{name}")
    return Listing(_asset(row), row["has_thumbnail"]) if row else None


async def list_assets(connection: Connection, course: CourseKey, wanted: Wanted) -> Page:
    """A page of a course's assets; behind the last one, that one."""
    rows = await connection.fetch(
        _LIST.format(order=_order(wanted.sort, ascending=wanted.ascending)),
        course.canonical,
        wanted.kinds,
        wanted.with_others,
        wanted.known_kinds,
        wanted.tokens,
        wanted.start,
        wanted.size,
    )
    lines = [Listing(_asset(row), row["has_thumbnail"]) for row in rows if row["block_id"] is not None]
    return Page(rows[0]["total"], lines)
