"""What time makes due: deferred commands, seats to count again, names to replace, answers too old to keep."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from common.database import DATABASE_AWAY, raw
from common.resources import Resources
from enrollment.commands.operations import CommandHandler, forget_answers
from enrollment.consumers import command_handler
from enrollment.course_copies.operations import count_seats
from enrollment.enrollments.changes import RacedError
from enrollment.jobs.operations import forget_jobs
from enrollment.jobs.running import Runner
from enrollment.program_enrollments.linking import realise_due
from enrollment.program_enrollments.maintenance import expire_all_waiting
from enrollment.retirement.operations import scrub_history
from enrollment.settings import Settings

log = structlog.get_logger()

_RECOUNTS: Final = "select course_n from seat where recount_at <= $1 order by course_n limit 100"
_HOUR: Final = 3600.0


def background(resources: Resources) -> Sequence[Callable[[], Awaitable[None]]]:
    """The sweeps of one consuming process; several may run side by side."""
    settings = resources.settings
    if not isinstance(settings, Settings):
        raise TypeError(settings)
    handler = command_handler(settings)
    days = timedelta(days=settings.command_retention_days)

    async def deferred() -> None:
        await _forever(lambda: finish_deferred(resources, handler), settings.sweep_seconds)

    async def seats() -> None:
        await _forever(lambda: recount_seats(resources), settings.sweep_seconds)

    async def names() -> None:
        await _forever(lambda: scrub_names(resources), settings.sweep_seconds)

    async def old() -> None:
        await _forever(lambda: _forget(resources, days), _HOUR)

    async def links() -> None:
        await _forever(lambda: realise_late_links(resources), settings.sweep_seconds)

    async def expire() -> None:
        before = datetime.now(UTC) - timedelta(days=settings.waiting_program_days)
        await expire_all_waiting(resources, before=before)

    async def waiting() -> None:
        await _forever(expire, _HOUR)

    runner = Runner(resources, timedelta(seconds=settings.deferred_seconds), settings.sweep_seconds)

    async def finished() -> None:
        await _forever(lambda: forget_finished_jobs(resources, settings.job_retention_days), _HOUR)

    # two, so that a short job need not wait for a long one
    return deferred, seats, names, old, links, waiting, finished, runner.run, runner.run


async def finish_deferred(resources: Resources, handler: CommandHandler) -> None:
    """One round: as long as there are commands due."""
    while True:
        async with resources.sessions.begin() as session:
            if not await handler.finish_deferred(await raw(session), now=datetime.now(UTC)):
                return


async def recount_seats(resources: Resources) -> None:
    """Count the seats of courses whose limit or team has changed a while ago."""
    async with resources.sessions.begin() as session:
        connection = await raw(session)
        numbers = [row["course_n"] for row in await connection.fetch(_RECOUNTS, datetime.now(UTC))]
        if numbers:
            await count_seats(connection, numbers, again_at=None)


async def realise_late_links(resources: Resources) -> None:
    """Links heard before the accounts they lead to."""
    while True:
        async with resources.sessions.begin() as session:
            if not await realise_due(await raw(session), now=datetime.now(UTC)):
                return


async def scrub_names(resources: Resources) -> None:
    """Replace the names of the retired in the history, a stretch at a time."""
    left = True
    while left:
        async with resources.sessions.begin() as session:
            left = await scrub_history(await raw(session))


async def forget_finished_jobs(resources: Resources, days: int) -> None:
    """Jobs that ended so many days ago, and their files; the files last, so that no job names one that is gone."""
    while True:
        async with resources.sessions.begin() as session:
            keys = await forget_jobs(await raw(session), now=datetime.now(UTC), days=days)
        for key in keys:
            await resources.blobs.delete(key)
        if not keys:
            return


async def _forget(resources: Resources, days: timedelta) -> None:
    async with resources.pool.acquire() as connection:
        await forget_answers(connection, before=datetime.now(UTC) - days)


async def _forever(sweep: Callable[[], Awaitable[None]], pause: float) -> None:
    """Again and again; a database that is away for a while does not end it."""
    while True:
        try:
            await sweep()
        except (*DATABASE_AWAY, DBAPIError, RacedError) as error:
            log.warning("sweep_failed", error=repr(error))
        await asyncio.sleep(pause)
