"""Drawing thumbnails: at once for an upload, in the background for what an import brought."""

import asyncio
import os
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import Executor, ThreadPoolExecutor

import asyncpg
import structlog

from common.blobs import BlobMissing, BlobStore, asset_key
from common.database import DATABASE_AWAY
from common.resources import Resources
from content.thumbnails.models import draw
from content.thumbnails.queries import Drawn, count_waiting, find_thumbnail, list_waiting
from content.versions.queries import Connection

log = structlog.get_logger()
_MAX_BYTES = 50_000_000
_BATCH = 20
_EVERY_SECONDS = 10.0
_PAUSE_SECONDS = 0.1
CALM_SECONDS = 5.0
_LONGEST_SECONDS = 60.0
_LEAST_PRIORITY = 19
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


async def draw_thumbnail(
    pool: asyncpg.Pool, blobs: BlobStore, digest: str, turn: asyncio.Semaphore, *, threads: Executor | None = None
) -> Drawn:
    """The thumbnail of these bytes, drawn and kept if it is not yet; in a thread, one of *threads* where given.

    *turn* bounds how many pictures a process decodes at a time, since decoding is what costs memory.
    """
    async with turn:
        known = await find_thumbnail(pool, digest)
        if known is not None:
            return known
        data = await _draw(blobs, asset_key(digest), threads)
        await pool.execute(_KEEP, bytes.fromhex(digest), data)
        return Drawn(data)


async def _draw(blobs: BlobStore, key: str, threads: Executor | None) -> bytes | None:
    size = await blobs.size(key)
    if size is None or size > _MAX_BYTES:
        return None
    try:
        source = blobs.local_path(key) or await blobs.get_bytes(key)
    except BlobMissing:
        return None
    return await asyncio.get_running_loop().run_in_executor(threads, draw, source)


async def draw_waiting(pool: asyncpg.Pool, blobs: BlobStore, *, threads: Executor | None = None) -> int:
    """Draw all that waits, one after the other; how many that was."""
    done, turn = 0, asyncio.Semaphore(1)
    while waiting := await list_waiting(pool, limit=_BATCH):
        for digest in waiting:
            await draw_thumbnail(pool, blobs, digest, turn, threads=threads)
        done += len(waiting)
    return done


def give_way() -> None:
    """This thread takes the processor time that nobody else wants."""
    if sys.platform == "linux":  # elsewhere a thread has no priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LEAST_PRIORITY)


async def wait_for_calm(pool: asyncpg.Pool, *, seconds: float, longest: float = _LONGEST_SECONDS) -> None:
    """Until imports bring no more pictures: they go first. What somebody asks for meanwhile is drawn at once."""
    known, deadline = await count_waiting(pool), asyncio.get_running_loop().time() + longest
    while asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(seconds)
        now = await count_waiting(pool)
        if now <= known:
            return
        known = now


async def keep_drawing(resources: Resources, *, calm_seconds: float = CALM_SECONDS) -> None:
    """The background task of the role `consume`: a committed import wakes it; two processes at once do no harm.

    Drawing the pictures of a course takes longer than all the rest of its import, and nobody waits for it.
    """

    async def waiting() -> list[str] | None:
        return await list_waiting(resources.pool, limit=1) or None

    threads = ThreadPoolExecutor(1, "thumbnails", give_way)
    try:
        while True:
            try:
                if await resources.facts.eventually(waiting, timeout=_EVERY_SECONDS):
                    await wait_for_calm(resources.pool, seconds=calm_seconds)
                    count = await draw_waiting(resources.pool, resources.blobs, threads=threads)
                    log.info("thumbnails_drawn", count=count)
            except DATABASE_AWAY as error:
                log.warning("thumbnails_not_drawn", error=repr(error))
                await asyncio.sleep(_EVERY_SECONDS)
            # when too many wait for facts, waiting ends at once
            await asyncio.sleep(_PAUSE_SECONDS)
    finally:
        # a picture under the pen is no reason for others to wait
        threads.shutdown(wait=False, cancel_futures=True)
