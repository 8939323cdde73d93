"""What an address means to a writer: a course, a branch, a block; whether the caller may write there; the open edit."""

from dataclasses import dataclass

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from common.database import raw
from common.errors import Unauthorized
from common.identity import Caller
from common.keys import CourseKey, InvalidKey, Locator, UsageKey
from content.access import find_standing, require_team
from content.addresses import clean
from content.authoring.errors import BranchNeeded, LocationUnknown, NameAmbiguous, PublishedIsDerived
from content.bodies import if_match
from content.courses.queries import find_by_dotted, find_by_legacy
from content.versions.editing import Edit, open_edit
from content.versions.errors import CourseGone
from content.versions.models import DRAFT, LIBRARY, PUBLISHED
from content.versions.operations import Author
from content.versions.queries import find_version

# The branch's part of block_live, by the index alone: names without a type are the addresses of 2013 only.
_NAMED = """
select b.block_id from branch br join block b on b.branch_id = br.id and b.to_version is null
where br.course_key = $1 and br.name = $2 and b.block_id like '%@%' and b.block_id not like '$%'
  and substr(b.block_id, strpos(b.block_id, '@') + 1) = $3"""


@dataclass(frozen=True, slots=True)
class Target:
    """Where somebody wants to write."""

    text: str
    """The address as it was given."""
    course: CourseKey
    spelling: str
    block_id: str | None
    branch: str | None = None
    version: str | None = None


async def find_target(connection: asyncpg.Connection, caller: Caller, text: str) -> Target:
    """The place that a locator or key names, for those who may write there.

    Raises `Unauthorized`, `LocationUnknown`, `NotOnTeam`, `BranchNeeded`, `NameAmbiguous`.
    """
    if caller.is_anonymous:
        raise Unauthorized
    try:
        where = Locator.parse(clean(text))
    except InvalidKey as error:
        raise LocationUnknown(text) from error
    course = await _course_of(connection, where)
    standing = await find_standing(connection, course, caller.user_id) if course else None
    if course is None or standing is None:
        raise LocationUnknown(text)
    require_team(caller, standing, course)
    if where.course is None and where.dotted is None and where.legacy is None:
        raise BranchNeeded
    block_id = f"{where.block_type}@{where.block}" if where.block_type is not None else where.block
    branch = where.branch
    if block_id is not None and where.block_type is None:
        block_id = await _named(connection, course, branch, block_id, text)
    return Target(text, course, standing.spelling, block_id, branch, where.version)


async def _course_of(connection: asyncpg.Connection, where: Locator) -> CourseKey | None:
    if where.dotted is not None:
        return await find_by_dotted(connection, where.dotted)
    if where.legacy is not None:
        return await find_by_legacy(connection, *where.legacy, f"{where.block_type}@{where.block}")
    if where.course is None and where.version is not None:
        known = await find_version(connection, where.version)
        return CourseKey.parse(known[0]) if known else None
    return where.course


async def _named(connection: asyncpg.Connection, course: CourseKey, branch: str | None, name: str, text: str) -> str:
    rows = await connection.fetch(_NAMED, course.canonical, branch or main_branch(course), name)
    if not rows:
        raise LocationUnknown(text)
    if len(rows) > 1:
        raise NameAmbiguous
    found: str = rows[0]["block_id"]
    return found


def main_branch(course: CourseKey) -> str:
    """Where a course is written when nobody says otherwise."""
    return LIBRARY if course.is_library else DRAFT


async def open_target(
    session: AsyncSession, request: Request, caller: Caller, target: Target, reason: str, *, published: bool = False
) -> Edit:
    """The course opened for an edit, if it still is as the caller last saw it.

    Raises `PublishedIsDerived` unless *published*, `LocationUnknown`, `StaleMatch`, `VersionConflict`.
    """
    allowed = {main_branch(target.course)}
    if not target.course.is_library:
        if target.branch == PUBLISHED and not published:
            raise PublishedIsDerived
        allowed.add(PUBLISHED)
    if target.branch is not None and target.branch not in allowed:
        raise LocationUnknown(target.text)
    try:
        return await open_edit(
            await raw(session),
            target.course,
            Author(caller.user_id, caller.username, reason),
            if_match=if_match(request),
            version=target.version,
            branch=target.branch,
        )
    except CourseGone as error:
        raise LocationUnknown(target.text) from error


def read_usage(text: str, course: CourseKey) -> str | None:
    """The block of this course that a key in a body names; None for one of another course. Raises `InvalidKey`."""
    if text.startswith("i4x://"):
        usage = UsageKey.parse(text, course)
        return usage.local if usage.course == course else None
    where = Locator.parse(text)
    if where.block is None or where.block_type is None:
        raise InvalidKey(text, "a block key")
    return f"{where.block_type}@{where.block}" if where.course == course else None
