"""Every fact this service hears."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from common.messaging import Message, Subscription
from common.resources import Resources
from import_export.courses.operations import (
    AccountsFact,
    CatalogueFact,
    CourseDeleted,
    CourseFact,
    TeamFact,
    store_accounts,
    store_catalogue,
    store_courses,
    store_deletions,
    store_teams,
)
from import_export.courses.retirement import RetiredFact, retire_accounts
from import_export.exports.operations import settle_export
from import_export.imports.operations import settle_catalogue, settle_import
from import_export.inspections.operations import settle_inspection
from import_export.settings import Settings
from import_export.tasks.litter import forget_snapshots
from import_export.tasks.models import Kind
from import_export.tasks.queries import find_job_of_command
from import_export.tasks.replies import CommandCompleted

QUEUE = "import_export.events"
HEARS: Final[Mapping[str, type[BaseModel]]] = {
    "accounts.user.changed.v1": AccountsFact,
    "accounts.user.retired.v1": RetiredFact,
    "content.command.completed.v1": CommandCompleted,
    "content.course.created.v1": CourseFact,
    "content.course.published.v1": CourseFact,
    "content.course.deleted.v1": CourseDeleted,
    "content.course_team.changed.v1": TeamFact,
    "course_catalog.course.changed.v1": CatalogueFact,
}


async def hear_courses(session: AsyncSession, messages: Sequence[Message]) -> None:
    """`content.course.created` and `content.course.published`."""
    await store_courses(session, [message.parse(CourseFact) for message in messages])


async def hear_deletions(session: AsyncSession, messages: Sequence[Message]) -> None:
    """`content.course.deleted`."""
    facts = [message.parse(CourseDeleted) for message in messages]
    await store_deletions(session, facts)
    # its files may be swept: the same archive, should it come again, has to be read again
    await forget_snapshots(session, courses=sorted({fact.course_id for fact in facts}))


async def hear_teams(session: AsyncSession, messages: Sequence[Message]) -> None:
    """`content.course_team.changed`."""
    await store_teams(session, [message.parse(TeamFact) for message in messages])


async def hear_accounts(session: AsyncSession, messages: Sequence[Message]) -> None:
    """`accounts.user.changed`."""
    await store_accounts(session, [message.parse(AccountsFact) for message in messages])


async def hear_retirements(session: AsyncSession, messages: Sequence[Message]) -> None:
    """`accounts.user.retired`."""
    await retire_accounts(session, [message.parse(RetiredFact) for message in messages])


async def hear_catalogue(session: AsyncSession, messages: Sequence[Message]) -> None:
    """`course_catalog.course.changed`: an import may end by it."""
    news = await store_catalogue(session, [message.parse(CatalogueFact) for message in messages])
    await settle_catalogue(session, news, now=datetime.now(UTC))


async def hear_outcomes(
    session: AsyncSession, messages: Sequence[Message], *, patience: timedelta, attempts: int
) -> None:
    """`content.command.completed`: the outcomes of our commands, among those of others'."""
    now = datetime.now(UTC)
    # in the order of the courses, as the catalogue's news are handled: two transactions that meet lock rows alike
    replies = sorted((message.parse(CommandCompleted) for message in messages), key=lambda reply: reply.course_id or "")
    for reply in replies:
        job = await find_job_of_command(session, reply.command_id)
        if job is None:
            continue
        if job.kind == Kind.IMPORT:
            await settle_import(session, job, reply, now=now, patience=patience, attempts=attempts)
        elif job.kind == Kind.INSPECTION:
            await settle_inspection(session, job, reply, now=now)
        else:
            await settle_export(session, job, reply, now=now)


def subscriptions(resources: Resources) -> Sequence[Subscription]:
    settings = resources.settings
    if not isinstance(settings, Settings):
        raise TypeError(settings)
    patience, attempts = timedelta(seconds=settings.catalogue_seconds), settings.job_attempts

    async def outcomes(session: AsyncSession, messages: Sequence[Message]) -> None:
        await hear_outcomes(session, messages, patience=patience, attempts=attempts)

    return [
        Subscription(
            QUEUE,
            {
                "content.course.created.v1": hear_courses,
                "content.course.published.v1": hear_courses,
                "content.course.deleted.v1": hear_deletions,
                "content.course_team.changed.v1": hear_teams,
                "content.command.completed.v1": outcomes,
                "course_catalog.course.changed.v1": hear_catalogue,
                "accounts.user.changed.v1": hear_accounts,
                "accounts.user.retired.v1": hear_retirements,
            },
        )
    ]
