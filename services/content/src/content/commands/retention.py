"""Answers are given again for 30 days; then they go, and the snapshots they offered with them."""

import asyncio
from datetime import timedelta

import asyncpg
import structlog

from common.blobs import BlobStore
from common.database import DATABASE_AWAY
from common.resources import Resources

log = structlog.get_logger()
KEPT = timedelta(days=31)  # longer than a parked message can still come back
_EVERY_SECONDS = 3600.0
_BATCH = 500
# answered_command_at
_FORGET = """
delete from answered_command where ctid = any(array(
  select ctid from answered_command where answered_at < now() - $1::interval limit $2 for update skip locked))
returning answer ->> 'snapshot' as snapshot"""


async def forget_answers(pool: asyncpg.Pool, blobs: BlobStore, *, kept: timedelta = KEPT) -> int:
    """Forget answers older than *kept*; how many."""
    gone = 0
    while True:
        async with pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(_FORGET, kept, _BATCH)
            for row in rows:
                if row["snapshot"]:
                    await blobs.delete(row["snapshot"])
        gone += len(rows)
        if len(rows) < _BATCH:
            return gone


async def keep_forgetting(resources: Resources) -> None:
    """The background task of the role `consume`: once an hour, in every process, without harm."""
    while True:
        try:
            gone = await forget_answers(resources.pool, resources.blobs)
        except DATABASE_AWAY as error:
            log.warning("answers_not_forgotten", error=repr(error))
        else:
            if gone:
                log.info("answers_forgotten", count=gone)
        await asyncio.sleep(_EVERY_SECONDS)
