"""Drawing thumbnails: at once for an upload, in the background for what an import brought."""

import asyncio
from collections.abc import Iterable

import asyncpg
import structlog

from common.blobs import BlobMissing, BlobStore, asset_key
from common.database import DATABASE_AWAY
from common.resources import Resources
from content.thumbnails.models import draw
from content.thumbnails.queries import Drawn, find_thumbnail, list_waiting
from content.versions.queries import Connection

log = structlog.get_logger()
_MAX_BYTES = 50_000_000
_BATCH = 20
_EVERY_SECONDS = 10.0
_PAUSE_SECONDS = 0.1
_WANT = """
insert into thumbnail (digest) select d from unnest($1::bytea[]) d order by d on conflict do nothing"""
_KEEP = """
insert into thumbnail (digest, data, made_at) values ($1, $2, now())
on conflict (digest) do update set data = excluded.data, made_at = now()"""


async def want_thumbnails(connection: Connection, digests: Iterable[str]) -> None:
    """Note, in the caller's transaction, that these pictures want drawing."""
    wanted = [bytes.fromhex(digest) for digest in digests]
    if wanted:
        await connection.fetch(_WANT, wanted)


async def draw_thumbnail(pool: asyncpg.Pool, blobs: BlobStore, digest: str, turn: asyncio.Semaphore) -> Drawn:
    """The thumbnail of these bytes, drawn and kept if it is not yet; in a thread.

    *turn* bounds how many pictures a process decodes at a time, since decoding is what costs memory.
    """
    async with turn:
        known = await find_thumbnail(pool, digest)
        if known is not None:
            return known
        data = await _draw(blobs, asset_key(digest))
        await pool.execute(_KEEP, bytes.fromhex(digest), data)
        return Drawn(data)


async def _draw(blobs: BlobStore, key: str) -> bytes | None:
    size = await blobs.size(key)
    if size is None or size > _MAX_BYTES:
        return None
    try:
        source = blobs.local_path(key) or await blobs.get_bytes(key)
    except BlobMissing:
        return None
    return await asyncio.to_thread(draw, source)


async def draw_waiting(pool: asyncpg.Pool, blobs: BlobStore) -> int:
    """Draw all that waits, one after the other; how many that was."""
    done, turn = 0, asyncio.Semaphore(1)
    while waiting := await list_waiting(pool, limit=_BATCH):
        for digest in waiting:
            await draw_thumbnail(pool, blobs, digest, turn)
        done += len(waiting)
    return done


async def keep_drawing(resources: Resources) -> None:
    """The background task of the role `consume`: a committed import wakes it; two processes at once do no harm."""

    async def waiting() -> list[str] | None:
        return await list_waiting(resources.pool, limit=1) or None

    while True:
        try:
            if await resources.facts.eventually(waiting, timeout=_EVERY_SECONDS):
                count = await draw_waiting(resources.pool, resources.blobs)
                log.info("thumbnails_drawn", count=count)
        except DATABASE_AWAY as error:
            log.warning("thumbnails_not_drawn", error=repr(error))
            await asyncio.sleep(_EVERY_SECONDS)
        # when too many wait for facts, waiting ends at once
        await asyncio.sleep(_PAUSE_SECONDS)
