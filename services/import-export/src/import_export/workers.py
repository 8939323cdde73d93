"""What runs beside the consumers: workers for imports and exports, timers that outlive a process, and the sweep."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import delete, select

from common.resources import Resources
from import_export.exports.models import Archive
from import_export.exports.operations import fail_unanswered
from import_export.exports.runner import Exporter
from import_export.hooks.queries import forget_pushes
from import_export.hooks.worker import PushWorker
from import_export.imports.operations import ask_again
from import_export.imports.runner import Importer
from import_export.inspections.runner import carry_out_inspection
from import_export.settings import Settings
from import_export.spool import spool_root, sweep_spool
from import_export.tasks.litter import clear_litter, note_litter
from import_export.tasks.models import Job, Kind, Phase, State
from import_export.tasks.operations import finish_job
from import_export.tasks.queries import list_due, list_expired, seconds_to_next_wake
from import_export.tasks.wakeups import Topic, Wakeups
from import_export.tasks.worker import TRANSIENT, Worker
from import_export.uploads.parts import sweep_partial_uploads
from olx.parser_process import ParserProcess

log = structlog.get_logger()
BEGINS = {
    Kind.IMPORT: (State.UNPACKING, "Reading the archive", 5),
    Kind.EXPORT: (State.IN_PROGRESS, "Compressing", 60),
    Kind.INSPECTION: (State.IN_PROGRESS, "Looking", 60),
}
SWEEP_SECONDS = 3600.0
SPOOL_SECONDS = 60.0
# only timers that are due sooner are announced
TIMER_SECONDS = 60.0
# An upload lies in the blob store for a moment before its job is committed, an archive before it is noted. A job may be
# older than its archive: one that is swept before it is noted is built again when it is asked for.
LEFTOVER = timedelta(hours=1)


async def run_workers(resources: Resources) -> None:
    """Run for ever: the one background task of role `consume`."""
    settings = resources.settings
    if not isinstance(settings, Settings):
        raise TypeError(settings)
    wakeups = Wakeups(settings.database_url, application="lectern import-export jobs")
    readers = [ParserProcess() for _ in range(settings.import_workers)]
    exporter = Exporter(settings)
    jobs: list[Callable[[], Awaitable[None]]] = [
        wakeups.listen,
        lambda: run_timers(resources, wakeups),
        lambda: run_litter(resources, wakeups),
        lambda: run_spool(settings),
        lambda: run_sweep(resources, settings),
        PushWorker(resources, settings, wakeups).run,
        *(
            _worker(Kind.IMPORT, Importer(reader, settings).work, resources, settings, wakeups).run
            for reader in readers
        ),
        *(
            _worker(Kind.EXPORT, exporter.work, resources, settings, wakeups).run
            for _ in range(settings.export_workers)
        ),
        _worker(Kind.INSPECTION, carry_out_inspection, resources, settings, wakeups).run,
    ]
    try:
        for reader in readers:
            await reader.start()
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(_forever(job))
    finally:
        await asyncio.gather(*(reader.stop() for reader in readers), return_exceptions=True)


async def _forever(job: Callable[[], Awaitable[None]]) -> None:
    await job()


def _worker(
    kind: Kind,
    work: Callable[..., Awaitable[None]],
    resources: Resources,
    settings: Settings,
    wakeups: Wakeups,
) -> Worker:
    return Worker(kind, work, resources, wakeups, settings.job_lease_seconds, settings.job_attempts, BEGINS[kind])


async def run_timers(resources: Resources, wakeups: Wakeups) -> None:
    """Wake when the first timer is due; timers are rows, so any process may keep them."""
    while True:
        changed = wakeups.current(Topic.TIMERS)
        try:
            await ring(resources, now=datetime.now(UTC))
            async with resources.sessions() as session:
                left = await seconds_to_next_wake(session)
        except TRANSIENT as error:
            log.warning("timers_interrupted", error=repr(error))
            await asyncio.sleep(1)
            continue
        await wakeups.wait(changed, TIMER_SECONDS if left is None else min(TIMER_SECONDS, left + 0.01))


async def ring(resources: Resources, *, now: datetime) -> int:
    """Act on every job whose time has come; returns how many."""
    async with resources.sessions.begin() as session:
        due = await list_due(session, now=now)
        for job in due:
            if job.phase == Phase.CATALOGUE:
                await finish_job(session, job, State.SUCCEEDED, now=now)
            elif job.phase == Phase.ASKED and job.kind == Kind.IMPORT:
                await ask_again(session, job, now=now)
            elif job.phase == Phase.ASKED:
                await fail_unanswered(session, job, now=now)
            else:
                job.wake_at = None
    return len(due)


async def run_litter(resources: Resources, wakeups: Wakeups) -> None:
    """Delete the blobs of what has ended, as soon as it has."""
    while True:
        changed = wakeups.current(Topic.LITTER)
        try:
            await clear_litter(resources)
        except TRANSIENT as error:
            log.warning("litter_interrupted", error=repr(error))
        await wakeups.wait(changed, SWEEP_SECONDS)


async def run_spool(settings: Settings) -> None:
    """Remove the folders of processes that were killed."""
    while True:
        try:
            await asyncio.to_thread(sweep_spool, spool_root(settings))
        except OSError as error:
            log.warning("spool_sweep_interrupted", error=repr(error))
        await asyncio.sleep(SPOOL_SECONDS)


async def run_sweep(resources: Resources, settings: Settings) -> None:
    """Forget what is over: old tasks with their snapshots, and uploads of nobody."""
    while True:
        try:
            now = datetime.now(UTC)
            await sweep_jobs(resources, now=now, keep=timedelta(days=settings.task_retention_days))
            await sweep_uploads(resources, now=now)
            await sweep_archives(resources, now=now)
            await sweep_partial_uploads(resources, now=now)
            async with resources.sessions.begin() as session:
                await forget_pushes(session, now=now, keep=timedelta(days=settings.task_retention_days))
        except TRANSIENT as error:
            log.warning("sweep_interrupted", error=repr(error))
        await asyncio.sleep(SWEEP_SECONDS)


async def sweep_jobs(resources: Resources, *, now: datetime, keep: timedelta) -> int:
    """Finished tasks and their snapshots, after the retention time."""
    gone = 0
    while True:
        async with resources.sessions.begin() as session:
            jobs: Sequence[Job] = await list_expired(session, now=now, keep=keep)
            await session.execute(delete(Job).where(Job.id.in_([job.id for job in jobs])))
            await note_litter(session, (job.snapshot for job in jobs if job.snapshot))
        gone += len(jobs)
        if not jobs:
            return gone


async def sweep_uploads(resources: Resources, *, now: datetime) -> int:
    """Uploads whose job never came to be because the process died between the two."""
    old = await _leftovers(resources, "uploads", now=now)
    if not old:
        return 0
    async with resources.sessions.begin() as session:
        query = select(Job.id).where(Job.id.in_(old), Job.phase.in_(("fetching", "queued", "working", "asked")))
        needed = set(await session.scalars(query))
        leaving = [key for job_id, key in old.items() if job_id not in needed]
        await note_litter(session, leaving)
    return len(leaving)


async def sweep_archives(resources: Resources, *, now: datetime) -> int:
    """Archives that their worker did not live to note, or was not let: its export was canceled meanwhile."""
    old = await _leftovers(resources, "archives", now=now)
    if not old:
        return 0
    async with resources.sessions.begin() as session:
        # the table has a row for each archive of the cache, and is read whole
        named = set(await session.scalars(select(Archive.blob)))
        leaving = [key for key in old.values() if key not in named]
        await note_litter(session, leaving)
    return len(leaving)


async def _leftovers(resources: Resources, prefix: str, *, now: datetime) -> dict[UUID, str]:
    """Blobs called after a job that was made a while ago, by the job."""
    old: dict[UUID, str] = {}
    for key in await resources.blobs.list_keys(prefix):
        try:
            job_id = UUID(key.rpartition("/")[2])
        except ValueError:
            continue
        # the first 48 bits of the id are the milliseconds of its making
        if datetime.fromtimestamp((job_id.int >> 80) / 1000, UTC) < now - LEFTOVER:
            old[job_id] = key
    return old
