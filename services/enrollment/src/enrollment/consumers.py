"""Every message this service hears, and what it leads to."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from common.database import raw
from common.messaging import Message, Subscription
from common.messaging.announcing import AnnounceRequest
from common.resources import Resources
from enrollment.account_copies.operations import store_accounts
from enrollment.account_copies.schemas import UsersChanged
from enrollment.announcements.queries import COMMAND as ANNOUNCE
from enrollment.announcements.queries import announce
from enrollment.commands.operations import ENROLL, UNENROLL, CommandHandler
from enrollment.commands.schemas import EnrollHeard, UnenrollHeard
from enrollment.course_copies.operations import store_courses
from enrollment.course_copies.schemas import CoursesChanged
from enrollment.course_teams.operations import store_teams
from enrollment.course_teams.schemas import TeamChanged
from enrollment.program_enrollments.linking import realise_links
from enrollment.program_enrollments.maintenance import retire_keys
from enrollment.program_enrollments.operations import Author
from enrollment.programs.operations import note_accounts, store_links, store_programs
from enrollment.programs.schemas import LinksChanged, ProgramsChanged
from enrollment.retirement.operations import retire
from enrollment.retirement.schemas import UsersRetired
from enrollment.settings import Settings

# every statement that began before a course had a limit is over by then
RECOUNT_AFTER: Final = timedelta(seconds=10)
# 20 commands of 500 items are decided in two waves of one transaction; more would only hold its locks longer
COMMANDS_AT_ONCE: Final = 20


# type → what is read of it; commands are read item by item (commands.schemas), these are the shapes promised for them
HEARS: Final[Mapping[str, type[BaseModel]]] = {
    "accounts.user.changed.v1": UsersChanged,
    "accounts.user.retired.v1": UsersRetired,
    "course_catalog.course.changed.v1": CoursesChanged,
    "content.course_team.changed.v1": TeamChanged,
    "course_catalog.program.changed.v1": ProgramsChanged,
    "accounts.external_id.linked.v1": LinksChanged,
    ENROLL: EnrollHeard,
    UNENROLL: UnenrollHeard,
    ANNOUNCE: AnnounceRequest,
}


async def hear_accounts(session: AsyncSession, messages: Sequence[Message]) -> None:
    """accounts.user.changed.v1"""
    users = [user for message in messages for user in message.parse(UsersChanged).users]
    connection = await raw(session)
    await store_accounts(connection, users, now=datetime.now(UTC))
    await note_accounts(connection, {user.user_id for user in users})


async def hear_retirements(session: AsyncSession, messages: Sequence[Message]) -> None:
    """accounts.user.retired.v1"""
    await retire(await raw(session), [user for message in messages for user in message.parse(UsersRetired).users])


async def hear_courses(session: AsyncSession, messages: Sequence[Message]) -> None:
    """course_catalog.course.changed.v1"""
    courses = [course for message in messages for course in message.parse(CoursesChanged).courses]
    await store_courses(await raw(session), courses, recount_at=datetime.now(UTC) + RECOUNT_AFTER)


async def hear_teams(session: AsyncSession, messages: Sequence[Message]) -> None:
    """content.course_team.changed.v1"""
    teams = [message.parse(TeamChanged) for message in messages]
    await store_teams(await raw(session), teams, recount_at=datetime.now(UTC) + RECOUNT_AFTER)


async def hear_programs(session: AsyncSession, messages: Sequence[Message]) -> None:
    """course_catalog.program.changed.v1"""
    programs = [program for message in messages for program in message.parse(ProgramsChanged).programs]
    await store_programs(await raw(session), programs)


async def hear_links(session: AsyncSession, messages: Sequence[Message]) -> None:
    """accounts.external_id.linked.v1"""
    links = [link for message in messages for link in message.parse(LinksChanged).links]
    connection = await raw(session)
    keys = await store_links(connection, links)
    await realise_links(connection, keys, author=Author(None, "link"), now=datetime.now(UTC))


async def hear_retired_keys(session: AsyncSession, messages: Sequence[Message]) -> None:
    """accounts.user.retired.v1"""
    users = {user.user_id for message in messages for user in message.parse(UsersRetired).users}
    await retire_keys(await raw(session), users)


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
                "accounts.user.retired.v1": hear_retirements,
                "course_catalog.course.changed.v1": hear_courses,
                "content.course_team.changed.v1": hear_teams,
            },
        ),
        # apart from the others: these lock programs before enrollments, the others enrollments alone
        Subscription(
            queue="enrollment.programs",
            handlers={
                "course_catalog.program.changed.v1": hear_programs,
                "accounts.external_id.linked.v1": hear_links,
                "accounts.user.retired.v1": hear_retired_keys,
            },
        ),
        Subscription(
            queue="enrollment.commands",
            handlers={ENROLL: commands, UNENROLL: commands},
            batch=COMMANDS_AT_ONCE,
            repeats=True,
        ),
        Subscription(queue="enrollment.announce", handlers={ANNOUNCE: announce}, batch=1),
    )
