"""Blobs nobody needs any more: noted in the transaction that ends their use, deleted once that is committed."""

from collections.abc import Iterable, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from common.blobs import BlobStore
from common.resources import Resources
from import_export.tasks.models import Job, Kind, State
from import_export.tasks.queries import lock_course
from import_export.tasks.wakeups import Topic, announce_change

# a snapshot may serve several jobs: the bytes pushed again are not read again
_NOTE = text(
    """insert into leaving_blob (key)
       select k from unnest(cast(:keys as text[])) k
       where not exists (select from job where job.snapshot = k)
       order by k on conflict do nothing"""
)
# Of a course's imports only the newest that succeeded is compared with what comes next; index job_course
_SUPERSEDED = text(
    """with older as (
         select id, snapshot from job
         where course_id = :course_id and kind = 'import' and phase = 'done' and snapshot <> :snapshot
         order by id for update)
       update job set snapshot = null from older where job.id = older.id returning older.snapshot"""
)
# index job_snapshot or job_course
_FORGET_SNAPSHOTS = text(
    """with known as (
         select id, snapshot from job
         where snapshot = any(cast(:keys as text[])) or course_id = any(cast(:courses as text[])) and phase = 'done'
         order by id for update)
       update job set snapshot = null from known where job.id = known.id and known.snapshot is not null
       returning known.snapshot"""
)
_SOME = text("select key from leaving_blob order by key limit 200")
_FORGET = text("delete from leaving_blob where key = any(cast(:keys as text[]))")


async def note_litter(session: AsyncSession, keys: Iterable[str]) -> None:
    """These blobs go when the caller's transaction commits, unless a job still names one of them."""
    wanted = sorted(set(keys))
    if wanted:
        await session.flush()
        await session.execute(_NOTE, {"keys": wanted})
        await announce_change(session, Topic.LITTER)


async def leave_behind(session: AsyncSession, job: Job) -> None:
    """What an ended job no longer needs; the caller has set its state.

    Of imports, the snapshot stays of the newest that did something to the course: the same bytes pushed again need
    not be read again.
    """
    keys = {job.upload_key}
    if job.kind == Kind.IMPORT:
        await lock_course(session, job.course_id)
    changes = not (job.option("dry_run") or job.option("round_trip"))
    if job.kind == Kind.IMPORT and job.state == State.SUCCEEDED and changes:
        if job.snapshot:
            await session.flush()
            place = {"course_id": job.course_id, "snapshot": job.snapshot}
            keys |= set(await session.scalars(_SUPERSEDED, place))
    else:
        keys |= {job.snapshot or job.snapshot_key, job.snapshot_key}
        job.snapshot = None
    await note_litter(session, keys)


async def forget_snapshots(session: AsyncSession, *, keys: Sequence[str] = (), courses: Sequence[str] = ()) -> None:
    """What was read of archives stands for their bytes no longer, since files it names may be swept."""
    if keys or courses:
        await session.flush()
        left = await session.scalars(_FORGET_SNAPSHOTS, {"keys": list(keys), "courses": list(courses)})
        await note_litter(session, left)


async def clear_litter(resources: Resources) -> int:
    """Delete the noted blobs; returns how many. Deleting one twice is harmless, so nobody is kept out."""
    gone = 0
    while True:
        async with resources.sessions() as session:
            keys = list(await session.scalars(_SOME))
        if not keys:
            return gone
        await _delete(resources.blobs, keys)
        async with resources.sessions.begin() as session:
            await session.execute(_FORGET, {"keys": keys})
        gone += len(keys)


async def _delete(blobs: BlobStore, keys: Iterable[str]) -> None:
    for key in keys:
        await blobs.delete(key)
