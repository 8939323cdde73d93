"""Every fact this service hears: type of message → operation."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from common.messaging import Message, Subscription
from common.resources import Resources
from course_catalog.accounts.operations import AccountsChanged, store_accounts
from course_catalog.courses.facts import CourseDeleted, CourseFacts
from course_catalog.courses.operations import store_courses
from course_catalog.settings import settings_of
from course_catalog.teams.operations import TeamFacts, store_teams

DELETED = "content.course.deleted.v1"


def subscriptions(resources: Resources) -> Sequence[Subscription]:
    """One queue: everything the catalogue hears is about one course or a few accounts."""
    default = settings_of(resources).course_mode

    async def courses_changed(session: AsyncSession, messages: Sequence[Message]) -> None:
        heard = [_read_course(message) for message in messages]
        await store_courses(session, heard, default=default)

    handlers = {
        "content.course.created.v1": courses_changed,
        "content.course.published.v1": courses_changed,
        DELETED: courses_changed,
        "content.course_team.changed.v1": teams_changed,
        "accounts.user.changed.v1": accounts_changed,
    }
    return [Subscription(queue="course_catalog.events", handlers=handlers)]


def _read_course(message: Message) -> CourseFacts | CourseDeleted:
    return message.parse(CourseDeleted) if message.type == DELETED else message.parse(CourseFacts)


async def teams_changed(session: AsyncSession, messages: Sequence[Message]) -> None:
    await store_teams(session, [message.parse(TeamFacts) for message in messages])


async def accounts_changed(session: AsyncSession, messages: Sequence[Message]) -> None:
    accounts = [account for message in messages for account in message.parse(AccountsChanged).users]
    await store_accounts(session, accounts)


# Type of message → what this service reads of it; the contracts are checked against it.
HEARS: Mapping[str, type[BaseModel]] = {
    "accounts.user.changed.v1": AccountsChanged,
    "content.course.created.v1": CourseFacts,
    "content.course.published.v1": CourseFacts,
    "content.course.deleted.v1": CourseDeleted,
    "content.course_team.changed.v1": TeamFacts,
}
