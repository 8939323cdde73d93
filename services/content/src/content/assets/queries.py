"""Finding assets: they are rows of the published version, like everything else of a course."""

from dataclasses import dataclass

import asyncpg

from common.keys import CourseKey
from content.assets.serving import Asset
from content.versions.models import ASSET, local_id
from content.versions.queries import Connection

_COLUMNS = "b.block_id, b.settings, v.edited_on"
_FIND = f"""
select {_COLUMNS}
from course c join branch br on br.course_key = c.course_key and br.name = 'published'
join block b on b.branch_id = br.id and b.block_id = $2 and b.to_version is null
join version v on v.branch_id = br.id and v.number = b.from_version
where c.course_key = $1 and c.deleted_at is null"""
_LEGACY = f"""
select c.course_key, {_COLUMNS}
from course c join branch br on br.course_key = c.course_key and br.name = 'published'
join block b on b.branch_id = br.id and b.block_id = $3 and b.to_version is null
join version v on v.branch_id = br.id and v.number = b.from_version
where c.org = $1 and c.number = $2 and c.deleted_at is null
order by (c.spelling <> c.course_key) desc, c.created_at limit 1"""
_LIST = f"""
select {_COLUMNS}
from branch br join block b on b.branch_id = br.id and b.to_version is null and b.block_id like '$asset@%'
join version v on v.branch_id = br.id and v.number = b.from_version
where br.course_key = $1 and br.name = 'draft'"""


@dataclass(frozen=True, slots=True)
class Listing:
    """One line of the list of assets."""

    asset: Asset
    import_path: str | None


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


async def find_asset(connection: Connection, course: CourseKey, name: str) -> Asset | None:
    row = await connection.fetchrow(_FIND, course.canonical, f"{ASSET}@{name}")
    return _asset(row) if row else None


async def find_legacy_asset(connection: Connection, org: str, number: str, name: str) -> tuple[CourseKey, Asset] | None:
    """A `/c4x/` address does not say the run: the oldest course of that name which has the file."""
    row = await connection.fetchrow(_LEGACY, org, number, f"{ASSET}@{name}")
    return (CourseKey.parse(row["course_key"]), _asset(row)) if row else None


async def list_assets(connection: Connection, course: CourseKey) -> list[Listing]:
    """All assets of a course's draft."""
    rows = await connection.fetch(_LIST, course.canonical)
    return [Listing(_asset(row), row["settings"].get("import_path")) for row in rows]
