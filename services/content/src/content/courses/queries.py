"""Finding courses: by any spelling, and all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from common.keys import CourseKey, InvalidKey, Locator, parse_guid
from content.addresses import clean
from content.courses.errors import CourseNotFound
from content.versions.queries import Connection, find_version

# course_dotted
_BY_DOTTED = "select course_key from course where dotted = $1 and deleted_at is null"
# A legacy key does not say the run: of several runs the one created with such keys, then the one that has the block.
# course_place, then block_live.
_BY_LEGACY = """
select c.course_key from course c
left join branch br on br.course_key = c.course_key and br.name = 'published'
left join block b on b.branch_id = br.id and b.block_id = $3 and b.to_version is null
where c.org = $1 and c.number = $2 and c.deleted_at is null
order by (b.block_id is not null) desc, (c.spelling <> c.course_key) desc, c.created_at limit 1"""
# every course: its row, and block_root once or twice for it
_LIST = """
select c.course_key, c.spelling, c.org, c.number, c.run, greatest(p.changed_at, d.changed_at) as changed_at,
  coalesce(b.settings, x.settings || '{"visible_to_staff_only": true}') as settings
from course c
join branch p on p.course_key = c.course_key and p.name = 'published'
left join branch d on d.course_key = c.course_key and d.name = 'draft'
left join block b on b.branch_id = p.id and b.to_version is null and b.parent_id is null and b.type = 'course'
left join block x on x.branch_id = d.id and b.settings is null and x.to_version is null and x.parent_id is null
  and x.type = 'course'
where c.deleted_at is null order by c.course_key"""
# branch_course_key_name_key, then block_live for the root
_LIBRARIES = """
select c.course_key, c.org, c.number, b.settings, br.changed_at
from course c join branch br on br.course_key = c.course_key and br.name = 'library'
left join course_team t on t.course_key = c.course_key and t.user_id = $1 and not t.removed
left join block b on b.branch_id = br.id and b.block_id = 'library@library' and b.to_version is null
where c.deleted_at is null and (t.role is not null or $2 or c.org = any($3::text[]))
order by c.course_key"""
# branch_course_key_name_key, then the range of block_live that begins with the prefix
_ABOUT = """
select b.block_id, d.fields from branch br
join block b on b.branch_id = br.id and b.to_version is null and b.block_id like 'about@%'
left join definition d on d.guid = b.definition
where br.course_key = $1 and br.name = 'published'"""


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of the list of courses."""

    course: CourseKey
    spelling: str
    settings: dict[str, object]
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address leads: a course, and within it a branch or version, and a block by type and name or name."""

    course: CourseKey
    branch: str | None = None
    version: str | None = None
    block_type: str | None = None
    block: str | None = None


async def find_by_dotted(connection: Connection, dotted: str) -> CourseKey | None:
    found = None if "\0" in dotted else await connection.fetchval(_BY_DOTTED, dotted.casefold())
    return CourseKey.parse(found) if isinstance(found, str) else None


async def find_by_legacy(connection: Connection, org: str, number: str, block_id: str) -> CourseKey | None:
    """The course that a key without a run means."""
    found = await connection.fetchval(_BY_LEGACY, org, number, block_id)
    return CourseKey.parse(found) if isinstance(found, str) else None


async def find_place(connection: Connection, text: str) -> Place | None:
    """What a locator of 2013 or any key leads to; None when its course or version is not known.

    Raises `InvalidKey` for text that is neither.
    """
    where = Locator.parse(clean(text))
    course, branch, version = where.course, where.branch, where.version
    if where.dotted is not None:
        course = await find_by_dotted(connection, where.dotted)
    elif where.legacy is not None:
        org, number = where.legacy
        course = await find_by_legacy(connection, org, number, f"{where.block_type}@{where.block}")
    if version is not None:
        known = await find_version(connection, parse_guid(version))
        if known is None or (course is not None and known[0] != course.canonical):
            return None
        course, branch = CourseKey.parse(known[0]), known[1]
    if course is None:
        return None
    return Place(course, branch, version, where.block_type, where.block)


async def get_course_key(connection: Connection, text: str) -> CourseKey:
    """The course that any spelling names; it need not exist unless the spelling must be looked up.

    Raises `CourseNotFound`, also for text that is no key.
    """
    try:
        place = await find_place(connection, text)
    except InvalidKey as error:
        raise CourseNotFound from error
    if place is None or place.block is not None:
        raise CourseNotFound
    return place.course


async def list_courses(connection: Connection) -> list[Listed]:
    return [
        Listed(CourseKey.parse(row["course_key"]), row["spelling"], row["settings"] or {}, row["changed_at"])
        for row in await connection.fetch(_LIST)
    ]


async def list_libraries(
    connection: Connection, user_id: int | None, *, every: bool, orgs: Sequence[str]
) -> list[Listed]:
    """The libraries of somebody's teams and of these organizations, or *every* one."""
    return [
        Listed(CourseKey.parse(row["course_key"]), row["course_key"], row["settings"] or {}, row["changed_at"])
        for row in await connection.fetch(_LIBRARIES, -1 if user_id is None else user_id, every, list(orgs))
    ]


async def read_about(connection: Connection, course: CourseKey) -> dict[str, str]:
    """The marketing texts of the published course, by name."""
    texts = {}
    for row in await connection.fetch(_ABOUT, course.canonical):
        data = (row["fields"] or {}).get("data")
        if isinstance(data, str):
            texts[row["block_id"].partition("@")[2]] = data
    return texts
