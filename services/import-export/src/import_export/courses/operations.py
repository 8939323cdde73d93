"""Hear about courses, teams, accounts and the catalogue."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from pydantic import BaseModel, ConfigDict
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from import_export.courses.models import Account, CatalogueVersion, Course, TeamMember

T = TypeVar("T")


class Heard(BaseModel):
    """Only what is used here; the rest of the message may grow."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class CourseFact(Heard):
    """`content.course.created.v1` and `content.course.published.v1`."""

    course_id: str
    spelling: str
    version: int
    guid: str | None = None
    draft_guid: str | None = None


class CourseDeleted(Heard):
    """`content.course.deleted.v1`."""

    course_id: str
    version: int


class Member(Heard):
    """One member of a course's team."""

    user_id: int
    username: str
    role: str
    version: int
    removed: bool = False


class TeamFact(Heard):
    """`content.course_team.changed.v1`."""

    course_id: str
    members: list[Member]


class User(Heard):
    """One account of `accounts.user.changed.v1`."""

    user_id: int
    username: str
    is_active: bool
    is_staff: bool = False
    version: int


class AccountsFact(Heard):
    """`accounts.user.changed.v1`."""

    users: list[User]


class CatalogueCourse(Heard):
    """One course of `course_catalog.course.changed.v1`."""

    course_id: str
    version: int
    content_version: int | None = None


class CatalogueFact(Heard):
    """`course_catalog.course.changed.v1`."""

    courses: list[CatalogueCourse]


def _newest(items: Iterable[T], identity: Callable[[T], tuple[Hashable, ...]], version: Callable[[T], int]) -> list[T]:
    """One item per identity, in a fixed order: two transactions that meet lock rows alike."""
    kept: dict[tuple[Hashable, ...], T] = {}
    for item in items:
        place = identity(item)
        if place not in kept or version(item) > version(kept[place]):
            kept[place] = item
    return [kept[place] for place in sorted(kept, key=repr)]


async def store_courses(session: AsyncSession, facts: Sequence[CourseFact]) -> None:
    """Keep the newest version of each course."""
    rows = [
        {
            "course_id": fact.course_id,
            "spelling": fact.spelling,
            "version": fact.version,
            "deleted": False,
            "draft_guid": fact.draft_guid,
            "published_guid": fact.guid,
        }
        for fact in _newest(facts, lambda fact: (fact.course_id,), lambda fact: fact.version)
    ]
    insertion = insert(Course)
    await session.execute(
        insertion.on_conflict_do_update(
            index_elements=[Course.course_id],
            set_={name: insertion.excluded[name] for name in rows[0] if name != "course_id"},
            where=insertion.excluded.version > Course.version,
        ),
        rows,
    )


async def store_deletions(session: AsyncSession, facts: Sequence[CourseDeleted]) -> None:
    """A deleted course stays, so that older news about it cannot bring it back."""
    rows = [
        {"course_id": fact.course_id, "spelling": fact.course_id, "version": fact.version, "deleted": True}
        for fact in _newest(facts, lambda fact: (fact.course_id,), lambda fact: fact.version)
    ]
    insertion = insert(Course)
    await session.execute(
        insertion.on_conflict_do_update(
            index_elements=[Course.course_id],
            set_={"version": insertion.excluded.version, "deleted": True},
            where=insertion.excluded.version > Course.version,
        ),
        rows,
    )


async def store_teams(session: AsyncSession, facts: Sequence[TeamFact]) -> None:
    """Keep the newest version of each membership."""
    everyone = [(fact.course_id, member) for fact in facts for member in fact.members]
    rows = [
        {"course_id": course_id, **member.model_dump()}
        for course_id, member in _newest(
            everyone, lambda item: (item[0], item[1].user_id), lambda item: item[1].version
        )
    ]
    if not rows:
        return
    insertion = insert(TeamMember)
    await session.execute(
        insertion.on_conflict_do_update(
            index_elements=[TeamMember.course_id, TeamMember.user_id],
            set_={name: insertion.excluded[name] for name in ("username", "role", "version", "removed")},
            where=insertion.excluded.version > TeamMember.version,
        ),
        rows,
    )


async def store_accounts(session: AsyncSession, facts: Sequence[AccountsFact]) -> None:
    """Keep the newest version of each account."""
    users = _newest(
        (user for fact in facts for user in fact.users), lambda user: (user.user_id,), lambda user: user.version
    )
    if not users:
        return
    insertion = insert(Account)
    await session.execute(
        insertion.on_conflict_do_update(
            index_elements=[Account.user_id],
            set_={name: insertion.excluded[name] for name in ("username", "is_active", "is_staff", "version")},
            where=insertion.excluded.version > Account.version,
        ),
        [user.model_dump() for user in users],
    )


async def store_catalogue(session: AsyncSession, facts: Sequence[CatalogueFact]) -> list[CatalogueCourse]:
    """Keep how far the catalogue has come with each course; returns the courses with news."""
    courses = [course for fact in facts for course in fact.courses]
    newest = _newest(courses, lambda course: (course.course_id,), lambda course: course.version)
    if not newest:
        return []
    insertion = insert(CatalogueVersion)
    changed = await session.scalars(
        insertion.on_conflict_do_update(
            index_elements=[CatalogueVersion.course_id],
            set_={name: insertion.excluded[name] for name in ("version", "content_version")},
            where=insertion.excluded.version > CatalogueVersion.version,
        ).returning(CatalogueVersion.course_id),
        [
            {"course_id": course.course_id, "version": course.version, "content_version": course.content_version or 0}
            for course in newest
        ],
    )
    fresh = set(changed)
    return [course for course in newest if course.course_id in fresh]


async def catalogue_content_version(session: AsyncSession, course_id: str) -> int:
    """The content version the catalogue shows, with the row locked.

    The lock makes whoever comes second see what the first has written, when content's reply and the catalogue's news
    about one course are handled at the same moment by two processes.
    """
    insertion = insert(CatalogueVersion).values(course_id=course_id, version=0, content_version=0)
    found = await session.scalar(
        insertion.on_conflict_do_update(
            index_elements=[CatalogueVersion.course_id], set_={"course_id": insertion.excluded.course_id}
        ).returning(CatalogueVersion.content_version)
    )
    return found or 0
