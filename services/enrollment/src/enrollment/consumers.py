"""Every message this service hears, and what it leads to."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from common.database import raw
from common.messaging import Message, Subscription
from common.resources import Resources
from enrollment.account_copies.operations import store_accounts
from enrollment.account_copies.schemas import UsersChanged
from enrollment.commands.operations import ENROLL, UNENROLL, CommandHandler
from enrollment.commands.schemas import EnrollHeard, UnenrollHeard
from enrollment.course_copies.operations import store_courses
from enrollment.course_copies.schemas import CoursesChanged
from enrollment.course_teams.operations import store_teams
from enrollment.course_teams.schemas import TeamChanged
from enrollment.settings import Settings

# every statement that began before a course had a limit is over by then
RECOUNT_AFTER: Final = timedelta(seconds=10)
# 20 commands of 500 items are decided in two waves of one transaction; more would only hold its locks longer
COMMANDS_AT_ONCE: Final = 20


# type → what is read of it; commands are read item by item (commands.schemas), these are the shapes promised for them
HEARS: Final[Mapping[str, type[BaseModel]]] = {
    "accounts.user.changed.v1": UsersChanged,
    "course_catalog.course.changed.v1": CoursesChanged,
    "content.course_team.changed.v1": TeamChanged,
    ENROLL: EnrollHeard,
    UNENROLL: UnenrollHeard,
}


async def hear_accounts(session: AsyncSession, messages: Sequence[Message]) -> None:
    """accounts.user.changed.v1"""
    users = [user for message in messages for user in message.parse(UsersChanged).users]
    await store_accounts(await raw(session), users, now=datetime.now(UTC))


async def hear_courses(session: AsyncSession, messages: Sequence[Message]) -> None:
    """course_catalog.course.changed.v1"""
    courses = [course for message in messages for course in message.parse(CoursesChanged).courses]
    await store_courses(await raw(session), courses, recount_at=datetime.now(UTC) + RECOUNT_AFTER)


async def hear_teams(session: AsyncSession, messages: Sequence[Message]) -> None:
    """content.course_team.changed.v1"""
    teams = [message.parse(TeamChanged) for message in messages]
    await store_teams(await raw(session), teams, recount_at=datetime.now(UTC) + RECOUNT_AFTER)


def command_handler(settings: Settings) -> CommandHandler:
    return CommandHandler(deferred_seconds=settings.deferred_seconds, attempt_seconds=settings.sweep_seconds)


def subscriptions(resources: Resources) -> Sequence[Subscription]:
    """Facts are applied once by the inbox; commands have an identity of their own and are answered each time."""
    settings = resources.settings
    if not isinstance(settings, Settings):
        raise TypeError(settings)
    commands = command_handler(settings)
    return (
        Subscription(
            queue="enrollment.events",
            handlers={
                "accounts.user.changed.v1": hear_accounts,
                "course_catalog.course.changed.v1": hear_courses,
                "content.course_team.changed.v1": hear_teams,
            },
        ),
        Subscription(
            queue="enrollment.commands",
            handlers={ENROLL: commands, UNENROLL: commands},
            batch=COMMANDS_AT_ONCE,
            repeats=True,
        ),
    )
