"""Who may change what the catalogue owns of a course."""

from dataclasses import dataclass

from sqlalchemy import text

from common.errors import Forbidden
from common.identity import Caller, require_user
from common.keys import CourseKey, InvalidKey
from common.resources import Resources
from course_catalog.accounts.queries import viewer
from course_catalog.courses.errors import BadCourseKey, CourseNotFound
from course_catalog.courses.queries import find_detail

_TEAM = text(
    """select c.course_key, d.spelling, :staff or c.org = any(:orgs) or exists (
         select from course_role r where r.user_id = :user and r.course_key = c.course_key and not r.removed) as team
       from course c join course_document d using (course_key) where c.course_key = :key and not c.deleted"""
)


@dataclass(frozen=True, slots=True)
class Place:
    """A course somebody may change: its canonical key, and the spelling that answers use."""

    key: str
    spelling: str


def parse_course(given: str) -> CourseKey:
    """A course key from a path. Raises `BadCourseKey`."""
    try:
        return CourseKey.parse(given.rstrip("/"))
    except InvalidKey as error:
        raise BadCourseKey.of(given) from error


async def require_team(resources: Resources, caller: Caller, given: str) -> Place:
    """The course, for its team, its organization's staff and global staff.

    Raises `BadCourseKey`, `CourseNotFound` (also where the caller may not even see it) and `Forbidden`.
    """
    require_user(caller)
    key, view = parse_course(given), viewer(caller)
    parameters = {"key": key.canonical, "user": view.user_id, "orgs": list(view.orgs), "staff": view.sees_all}

    async def find() -> Place | None:
        async with resources.sessions() as session:
            row = (await session.execute(_TEAM, parameters)).first()
        return Place(row.course_key, row.spelling) if row is not None and row.team else None

    if found := await resources.facts.eventually(find):
        return found
    if await find_detail(resources.pool, key, view, base="") is None:
        raise CourseNotFound
    raise Forbidden
