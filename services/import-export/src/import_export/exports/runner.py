"""What a worker does with an export: build the archive from content's snapshot."""

import asyncio
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import orjson

from common.blobs import BlobStore, asset_key, take_file
from common.keys import CourseKey
from import_export.exports.operations import keep_archive, make_room
from import_export.settings import Settings
from import_export.spool import spool_folder
from import_export.tasks.litter import note_litter
from import_export.tasks.worker import Held, JobFailed
from olx.values import Json

_WRITE_BYTES = 1024 * 1024


def archive_name(key: CourseKey) -> str:
    """Upstream names it after the run; here the name also tells courses apart."""
    return f"{key.org}.{key.course}.{key.run}.tar.gz"


class Exporter:
    """Carries out exports, each in a thread of its own: writing, hashing and compressing leave the loop alone."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def work(self, held: Held) -> None:
        """Ends with the archive in the blob store. Raises `JobFailed`, `LeaseLost`."""
        job, blobs = held.job, held.resources.blobs
        if job.snapshot is None or job.archive_key is None:
            raise JobFailed("no_snapshot", "Content's answer names no snapshot.")
        with spool_folder(self._settings, "write-") as folder:
            snapshot = orjson.loads(await blobs.get_bytes(job.snapshot))
            files = await local_assets(blobs, snapshot, folder)
            target = folder / "archive"
            size = await asyncio.to_thread(build, snapshot, files, target)
            blob = f"archives/{job.id}"
            storing = asyncio.ensure_future(take_file(blobs, blob, target))
            try:
                await self._keep(held, storing, blob=blob, size=size, has_drafts=bool(snapshot.get("drafts")))
            finally:
                # a thread goes on writing whatever becomes of the job, and needs the folder until it has ended
                await storing

    async def _keep(self, held: Held, storing: Awaitable[None], *, blob: str, size: int, has_drafts: bool) -> None:
        """Note the archive while it is being stored; the note is committed when it is."""
        key = held.job.archive_key or ""
        async with held.row() as (session, row):
            superfluous = await keep_archive(
                session,
                row,
                blob=blob,
                size=size,
                has_drafts=has_drafts,
                filename=archive_name(CourseKey.parse(row.course_id)),
                now=datetime.now(UTC),
            )
            await note_litter(session, [superfluous] if superfluous else ())
            await storing
        # nobody need wait for this
        async with held.resources.sessions.begin() as session:
            await note_litter(session, await make_room(session, keep=key, budget=self._settings.archive_cache_bytes))


def build(snapshot: Mapping[str, Json], files: dict[str, Path], target: Path) -> int:
    """Write the archive; returns its size. Raises `JobFailed` for a block that cannot be written."""
    from olx.errors import UnwritableBlock  # noqa: PLC0415 - with the next
    from olx.writer import write_archive  # noqa: PLC0415 - lxml and the compressor, used by exports alone

    def open_asset(digest: str) -> BinaryIO:
        return files[digest].open("rb")

    with target.open("wb", buffering=_WRITE_BYTES) as out:
        try:
            write_archive(snapshot, open_asset, out)
        except UnwritableBlock as error:
            raise JobFailed("unwritable_block", str(error)) from error
        return out.tell()


async def local_assets(blobs: BlobStore, snapshot: Mapping[str, Json], folder: Path) -> dict[str, Path]:
    """Where the bytes of each asset can be opened; fetched first when the store is no local folder."""
    assets = snapshot.get("assets")
    items = assets.values() if isinstance(assets, dict) else ()
    digests = {str(item["digest"]) for item in items if isinstance(item, dict)}
    found: dict[str, Path] = {}
    for digest in sorted(digests):
        path = blobs.local_path(asset_key(digest))
        if path is None:
            path = folder / digest
            with path.open("wb") as out:
                async for chunk in blobs.stream(asset_key(digest)):
                    await asyncio.to_thread(out.write, chunk)
        found[digest] = path
    return found
