"""Uploads in parts: each part is a blob, so that any process may take the next one, and a row says what has come.

A part sent again is taken for what it is; one that overlaps others, leaves a gap or speaks of another total is refused,
and what came before stays, so that the caller can go on from `received`.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from common.blobs import BlobMissing, BlobStore, take_file
from common.resources import Resources
from import_export.settings import Settings
from import_export.spool import spool_folder
from import_export.tasks.litter import note_litter
from import_export.uploads.errors import BadContentRange, PartsDisagree, PartsMissing, TooManyParts, UploadTooLarge
from import_export.uploads.models import PARTS, Part, PartialUpload, Range, part_key
from import_export.uploads.operations import ArchiveSpool, Upload

MAX_PARTS = 10_000
KEPT = timedelta(days=1)


async def find_partial(
    session: AsyncSession, *, requester: str, course_id: str, filename: str, lock: bool = False
) -> PartialUpload | None:
    query = select(PartialUpload).where(
        PartialUpload.requester == requester,
        PartialUpload.course_id == course_id,
        PartialUpload.filename == filename,
    )
    return await session.scalar(query.with_for_update() if lock else query)


async def store_part(
    resources: Resources, upload: Upload, place: Range, *, requester: str, course_id: str, filename: str, now: datetime
) -> PartialUpload:
    """Keep one part; the row as it is then. Raises `PartsMissing`, `PartsDisagree`, `BadContentRange`, ...

    The row is locked while the part is written, so two parts of one upload do not meet.
    """
    settings = resources.settings
    if upload.size != place.size:
        raise BadContentRange(f"Content-Range names {place.size} bytes, the body has {upload.size}.")
    if isinstance(settings, Settings) and place.total > settings.max_upload_bytes:
        raise UploadTooLarge(f"The uploaded archive is larger than {settings.max_upload_bytes} bytes.")
    part = Part(place.first, place.last + 1, upload.digest)
    async with resources.sessions.begin() as session:
        if place.first == 0:
            await _begin(session, place.total, requester=requester, course_id=course_id, filename=filename, now=now)
        row = await find_partial(session, requester=requester, course_id=course_id, filename=filename, lock=True)
        if row is None or row.received == 0 < place.first:
            raise PartsMissing(received=0)
        known = row.in_order
        if part in known and row.total == place.total:
            return row
        if row.total != place.total or row.received != place.first or row.task_id is not None:
            raise PartsDisagree(received=row.received)
        if len(known) >= MAX_PARTS:
            raise TooManyParts
        await take_file(resources.blobs, part_key(row.id, part.start), upload.path)
        row.parts = PARTS.dump_python([*known, part])
        row.received, row.updated_at = part.stop, now
    return row


async def _begin(
    session: AsyncSession, total: int, *, requester: str, course_id: str, filename: str, now: datetime
) -> None:
    """A first part begins the upload anew, whatever had come of it before."""
    before = await find_partial(session, requester=requester, course_id=course_id, filename=filename, lock=True)
    if before is not None:
        await note_litter(session, before.keys)
    fresh = {"id": uuid4(), "total": total, "received": 0, "parts": [], "task_id": None, "failed": False}
    insertion = insert(PartialUpload).values(
        requester=requester, course_id=course_id, filename=filename, updated_at=now, **fresh
    )
    await session.execute(
        insertion.on_conflict_do_update(
            index_elements=[PartialUpload.requester, PartialUpload.course_id, PartialUpload.filename],
            set_=fresh | {"updated_at": now},
        )
    )
    session.expire_all()


@asynccontextmanager
async def whole_upload(resources: Resources, settings: Settings, row: PartialUpload) -> AsyncIterator[Upload]:
    """All parts as one file, on disk until the `async with` is left."""
    with spool_folder(settings, "upload-") as folder:
        path = folder / "file"
        with path.open("wb") as out:
            spool = ArchiveSpool(out, limit=settings.max_upload_bytes)
            try:
                for key in row.keys:
                    await _append(resources.blobs, key, spool)
            except BlobMissing as error:
                raise PartsMissing(received=0) from error
        yield Upload(path, row.filename, spool.size, spool.digest, {}, spool.head)


async def _append(blobs: BlobStore, key: str, spool: ArchiveSpool) -> None:
    async for data in blobs.stream(key):
        await asyncio.to_thread(spool.write, data)


async def close_upload(session: AsyncSession, upload_id: UUID, task_id: UUID) -> UUID | None:
    """The upload has become this task, and its parts go; the other task when another request was first."""
    row = await session.get(PartialUpload, upload_id, with_for_update=True)
    if row is None:
        return None
    if row.task_id is not None:
        return row.task_id
    row.task_id = task_id
    await note_litter(session, row.keys)
    return None


async def forget_upload(session: AsyncSession, upload_id: UUID) -> None:
    """What came cannot be used: it has to be sent anew."""
    row = await session.get(PartialUpload, upload_id, with_for_update=True)
    if row is not None:
        await note_litter(session, row.keys)
        row.parts, row.received, row.failed = [], 0, True


async def mark_failed(session: AsyncSession, *, requester: str, course_id: str, filename: str, now: datetime) -> None:
    """An upload of that name has been refused, for those who ask by name; what had come of it stays."""
    insertion = insert(PartialUpload).values(
        id=uuid4(),
        requester=requester,
        course_id=course_id,
        filename=filename,
        total=0,
        received=0,
        parts=[],
        failed=True,
        updated_at=now,
    )
    await session.execute(
        insertion.on_conflict_do_update(
            index_elements=[PartialUpload.requester, PartialUpload.course_id, PartialUpload.filename],
            set_={"failed": True, "updated_at": now},
        )
    )


async def sweep_partial_uploads(resources: Resources, *, now: datetime) -> int:
    """Uploads nobody has gone on with for a day."""
    query = select(PartialUpload).where(PartialUpload.updated_at < now - KEPT).limit(200)
    gone = 0
    while True:
        async with resources.sessions.begin() as session:
            old: Sequence[PartialUpload] = (await session.scalars(query.with_for_update(skip_locked=True))).all()
            for row in old:
                await note_litter(session, row.keys)
                await session.delete(row)
        gone += len(old)
        if not old:
            return gone
