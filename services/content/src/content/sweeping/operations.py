"""The sweep: bytes of files in no version of any course and claimed by nobody for a week, and snapshots left behind.

Whoever is about to refer to a digest renews its claim first and looks for the bytes afterwards. The sweep deletes under
the lock of the claim's row: who comes before it is seen, and who comes after it finds the bytes gone and puts them.
Bytes that were never claimed (import-export stages them before it sends its command) count as claimed when they are
first seen. Snapshots that import-export made are its own to delete; content's have names that tell their age.
"""

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from common.blobs import BlobStore, asset_key
from common.database import DATABASE_AWAY
from common.resources import Resources
from content.commands.retention import KEPT

log = structlog.get_logger()
GRACE: Final = timedelta(days=7)
_FIRST_SECONDS: Final = 600.0
_EVERY_SECONDS: Final = 6 * 3600.0
_BATCH: Final = 500
_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_SNAPSHOT: Final = re.compile(r"snapshots/[0-9a-f]{32}\Z")

# Those known already are left out first: an insert would wait for whoever is renewing them.
_SEEN: Final = """
insert into asset_claim (digest)
select d from unnest($1::bytea[]) d where not exists (select from asset_claim c where c.digest = d) order by d
on conflict do nothing"""
# asset_claim_pkey, then block_asset once for each claim that is old enough
_LEFT: Final = """
select c.digest from asset_claim c
where c.claimed_at < now() - $1::interval and c.digest > $2
  and not exists (select from block b where b.type = '$asset' and b.settings ->> 'digest' = encode(c.digest, 'hex'))
order by c.digest limit $3"""
# Skipped when somebody holds it: a claim being renewed is no candidate any more.
_LOCK: Final = """
select digest from asset_claim where digest = $1 and claimed_at < now() - $2::interval for update skip locked"""
# block_asset
_HELD: Final = "select exists (select from block b where b.type = '$asset' and b.settings ->> 'digest' = $1)"
_FORGET: Final = ("delete from thumbnail where digest = $1", "delete from asset_claim where digest = $1")
# the answers of a month, read whole four times a day at most, and only when old snapshots are left
_OFFERED: Final = """
select answer ->> 'snapshot' as key from answered_command where answer ->> 'snapshot' = any($1::text[])"""


@dataclass(frozen=True, slots=True)
class Swept:
    """How much was taken away."""

    assets: int
    snapshots: int


async def sweep(pool: asyncpg.Pool, blobs: BlobStore, *, now: datetime, grace: timedelta = GRACE) -> Swept:
    """One sweep. Two at the same time, or one cut short, do no harm."""
    for prefix in range(256):
        await _register(pool, blobs, f"assets/{prefix:02x}")
    return Swept(await _sweep_assets(pool, blobs, grace), await _sweep_snapshots(pool, blobs, now))


async def _register(pool: asyncpg.Pool, blobs: BlobStore, prefix: str) -> None:
    names = (key.rpartition("/")[2] for key in await blobs.list_keys(prefix))
    digests = [bytes.fromhex(name) for name in names if _DIGEST.match(name)]
    if digests:
        await pool.execute(_SEEN, digests)


async def _sweep_assets(pool: asyncpg.Pool, blobs: BlobStore, grace: timedelta) -> int:
    gone, last = 0, b""
    while rows := await pool.fetch(_LEFT, grace, last, _BATCH):
        for row in rows:
            gone += await _take_away(pool, blobs, row["digest"], grace)
        last = rows[-1]["digest"]
    return gone


async def _take_away(pool: asyncpg.Pool, blobs: BlobStore, digest: bytes, grace: timedelta) -> bool:
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(_LOCK, digest, grace) is None:
            return False
        # in a statement of its own: what was committed while this waited for the lock is seen
        if await connection.fetchval(_HELD, digest.hex()):
            return False
        await blobs.delete(asset_key(digest.hex()))
        for statement in _FORGET:
            await connection.execute(statement, digest)
    return True


async def _sweep_snapshots(pool: asyncpg.Pool, blobs: BlobStore, now: datetime) -> int:
    """Snapshots that content wrote and whose command came to nothing afterwards; the others go with their answers."""
    old = [key for key in await blobs.list_keys("snapshots") if _is_old(key, now)]
    gone = 0
    for start in range(0, len(old), _BATCH):
        part = old[start : start + _BATCH]
        offered = {row["key"] for row in await pool.fetch(_OFFERED, part)}
        for key in part:
            if key not in offered:
                await blobs.delete(key)
                gone += 1
    return gone


def _is_old(key: str, now: datetime) -> bool:
    if not _SNAPSHOT.match(key):
        return False
    name = UUID(key.rpartition("/")[2])
    # the first 48 bits of a name of version 7 are the milliseconds of its making
    return name.version == 7 and datetime.fromtimestamp((name.int >> 80) / 1000, UTC) < now - KEPT


async def keep_sweeping(resources: Resources) -> None:
    """The background task of the role `consume`: four times a day, in every process, without harm."""
    await asyncio.sleep(_FIRST_SECONDS)
    while True:
        try:
            swept = await sweep(resources.pool, resources.blobs, now=datetime.now(UTC))
        except DATABASE_AWAY as error:
            log.warning("not_swept", error=repr(error))
        else:
            log.info("swept", assets=swept.assets, snapshots=swept.snapshots)
        await asyncio.sleep(_EVERY_SECONDS)
