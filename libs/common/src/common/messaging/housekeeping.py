"""What has served its time leaves in small batches, done by the active relay."""

from datetime import timedelta

import asyncpg
import structlog

from common.messaging import metrics

log = structlog.get_logger()
OUTBOX_DAYS = timedelta(days=3)  # sent rows: material for a replay after a fault of the broker
INBOX_DAYS = timedelta(days=30)  # longer than any message can still come again
PARKED_DAYS = timedelta(days=30)
BATCH = 1000

# Walks from the oldest end and stops at the first young batch; unsent rows stay whatever their age.
_OUTBOX = """
with oldest as (select position, created_at, sent_at from outbox where position > $1 order by position limit $2),
gone as (
  delete from outbox using oldest
  where outbox.position = oldest.position and oldest.sent_at < now() - $3::interval returning 1)
select max(position) as reached, max(created_at) < now() - $3::interval as more, (select count(*) from gone) as gone
from oldest"""
_INBOX = """
delete from inbox where ctid = any(array(select ctid from inbox where received_at < now() - $1::interval limit $2))"""
_PARKED = """
delete from parked_message
where id in (select id from parked_message where parked_at < now() - $1::interval limit $2)"""
_GAUGES = """
select count(*), coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0),
  (select count(*) from parked_message where state = 'parked')
from outbox where sent_at is null and parked_at is null"""


async def measure(connection: asyncpg.Connection, service: str) -> None:
    """Bring the gauges of outbox and parking lot up to date."""
    pending, oldest, parked = await connection.fetchrow(_GAUGES)
    metrics.PENDING.labels(service).set(pending)
    metrics.OLDEST.labels(service).set(float(oldest))
    metrics.PARKED.labels(service).set(parked)


async def tidy(connection: asyncpg.Connection, *, batches: int = 10) -> int:
    """Delete what is over its time, at most *batches* batches of each kind; return how many rows went."""
    gone, reached = 0, 0
    for _ in range(batches):
        row = await connection.fetchrow(_OUTBOX, reached, BATCH, OUTBOX_DAYS)
        gone += row["gone"]
        if not row["more"]:
            break
        reached = row["reached"]
    for statement, age in ((_INBOX, INBOX_DAYS), (_PARKED, PARKED_DAYS)):
        for _ in range(batches):
            deleted = int((await connection.execute(statement, age, BATCH)).split()[-1])
            gone += deleted
            if deleted < BATCH:
                break
    if gone:
        log.info("tidied", rows=gone)
    return gone
