"""Whose history an address means, for the team of the course and global staff."""

from common.identity import Caller, require_user
from common.keys import CourseKey, InvalidKey, parse_guid
from common.resources import Resources
from content.access import Standing, find_standing, require_team
from content.courses.errors import CourseNotFound
from content.courses.queries import Place, find_place
from content.history.errors import BlockUnknown, NotOneBranch
from content.history.queries import BranchHead, Placed, find_block_ids, find_branch, get_placed
from content.versions.errors import VersionNotFound
from content.versions.models import DRAFT, LIBRARY


async def open_course(resources: Resources, caller: Caller, course: CourseKey) -> Standing:
    """Raises 401 for the anonymous, `CourseNotFound`, `NotOnTeam`."""
    require_user(caller)
    standing = await find_standing(resources.pool, course, caller.user_id)
    if standing is None:
        raise CourseNotFound
    require_team(caller, standing, course)
    return standing


async def open_place(resources: Resources, caller: Caller, text: str) -> tuple[Standing, Place, BranchHead]:
    """The course and branch (the draft unless the address names one) that a locator means.

    Raises what `open_course` raises, and `NotOneBranch`.
    """
    require_user(caller)
    try:
        place = await find_place(resources.pool, text)
    except InvalidKey as error:
        raise CourseNotFound from error
    if place is None:
        raise CourseNotFound
    standing = await open_course(resources, caller, place.course)
    if place.version is not None:
        raise NotOneBranch
    name = place.branch or (LIBRARY if place.course.is_library else DRAFT)
    branch = await find_branch(resources.pool, place.course.canonical, name)
    if branch is None:
        raise CourseNotFound(f"The course has no branch {name}.")
    return standing, place, branch


async def open_version(resources: Resources, caller: Caller, text: str) -> tuple[Placed, CourseKey]:
    """Raises `VersionNotFound`, and what `open_course` raises."""
    require_user(caller)
    try:
        guid = parse_guid(text)
    except InvalidKey as error:
        raise VersionNotFound(f"There is no version {text[:64]}.") from error
    placed = await get_placed(resources.pool, guid)
    course = CourseKey.parse(placed.course_key)
    await open_course(resources, caller, course)
    return placed, course


async def get_block_id(resources: Resources, branch: BranchHead, place: Place) -> str:
    """The block that an address names, by type and name or by a name that only one block of the branch ever had.

    Raises `BlockUnknown`.
    """
    if place.block_type is not None:
        return f"{place.block_type}@{place.block}"
    found = await find_block_ids(resources.pool, branch.id, place.block or "")
    if len(found) == 1:
        return found[0]
    if found:
        raise BlockUnknown(f"Several blocks were called {place.block}; name the one you mean by its whole key.")
    raise BlockUnknown
