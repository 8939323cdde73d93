"""Every fact this service hears: type of message → operation."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from common.messaging import Message, Subscription
from common.messaging.announcing import AnnounceRequest
from common.messaging.rebuilding.operations import StatePart, is_running, receiving
from common.resources import Resources
from course_catalog.accounts.operations import AccountsChanged, AccountsRetired, retire_accounts, store_accounts
from course_catalog.allowances.operations import AllowedChanged, store_allowances
from course_catalog.announcements.queries import COMMAND as ANNOUNCE
from course_catalog.announcements.queries import announce
from course_catalog.courses.facts import CourseDeleted, CourseFacts
from course_catalog.courses.operations import store_courses
from course_catalog.projections import accounts, content
from course_catalog.projections.operations import QUEUE, projections
from course_catalog.settings import settings_of
from course_catalog.teams.operations import TeamFacts, store_teams

DELETED = "content.course.deleted.v1"


def subscriptions(resources: Resources) -> Sequence[Subscription]:
    """A queue for what happens, one for what is said to us again on request, one for such requests to us."""
    default = settings_of(resources).course_mode

    known = {projection.owner: receiving(projection) for projection in projections(default)}

    async def courses_changed(session: AsyncSession, messages: Sequence[Message]) -> None:
        heard = [_read_course(message) for message in messages]
        # before the turn is taken: a swap takes its locks in this order too
        if await is_running(session, content.OWNER):
            await content.fill_courses(session, heard)
        await store_courses(session, heard, default=default)

    handlers = {
        "content.course.created.v1": courses_changed,
        "content.course.published.v1": courses_changed,
        DELETED: courses_changed,
        "content.course_team.changed.v1": teams_changed,
        "accounts.user.changed.v1": accounts_changed,
        "accounts.user.retired.v1": accounts_retired,
        "enrollment.allowed.changed.v1": allowed_changed,
    }
    rebuilding = {"content.announced.v1": known[content.OWNER], "gateway.announced.v1": known[accounts.OWNER]}
    return [
        Subscription(queue="course_catalog.events", handlers=handlers),
        Subscription(queue=QUEUE, handlers=rebuilding, batch=4),
        Subscription(queue="course_catalog.announce", handlers={ANNOUNCE: announce(default)}, batch=1),
    ]


def _read_course(message: Message) -> CourseFacts | CourseDeleted:
    return message.parse(CourseDeleted) if message.type == DELETED else message.parse(CourseFacts)


async def teams_changed(session: AsyncSession, messages: Sequence[Message]) -> None:
    teams = [message.parse(TeamFacts) for message in messages]
    if await is_running(session, content.OWNER):
        await content.fill_teams(session, teams)
    await store_teams(session, teams)


async def accounts_changed(session: AsyncSession, messages: Sequence[Message]) -> None:
    heard = [account for message in messages for account in message.parse(AccountsChanged).users]
    if await is_running(session, accounts.OWNER):
        await accounts.fill_accounts(session, heard)
    await store_accounts(session, heard)


async def allowed_changed(session: AsyncSession, messages: Sequence[Message]) -> None:
    await store_allowances(session, [entry for one in messages for entry in one.parse(AllowedChanged).entries])


async def accounts_retired(session: AsyncSession, messages: Sequence[Message]) -> None:
    """The account itself also changes by `accounts.user.changed`, which a shadow hears."""
    await retire_accounts(session, [one for message in messages for one in message.parse(AccountsRetired).users])


# Type of message → what this service reads of it; the contracts are checked against it.
HEARS: Mapping[str, type[BaseModel]] = {
    "accounts.user.changed.v1": AccountsChanged,
    "accounts.user.retired.v1": AccountsRetired,
    "enrollment.allowed.changed.v1": AllowedChanged,
    "content.announced.v1": StatePart,
    "gateway.announced.v1": StatePart,
    ANNOUNCE: AnnounceRequest,
    "content.course.created.v1": CourseFacts,
    "content.course.published.v1": CourseFacts,
    "content.course.deleted.v1": CourseDeleted,
    "content.course_team.changed.v1": TeamFacts,
}
