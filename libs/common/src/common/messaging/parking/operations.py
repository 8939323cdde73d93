"""Leaving the parking lot: back to the queue it came from, or nowhere. Each with a line in the audit."""

from uuid import UUID

import asyncpg
import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from common.database import dump_json
from common.messaging.envelope import ATTEMPT, DEFAULT_EXCHANGE
from common.messaging.merging import Row
from common.messaging.outbox import new_id
from common.messaging.parking.errors import NotParked
from common.messaging.parking.models import ParkedAudit, ParkedMessage
from common.messaging.parking.queries import get_parked
from common.messaging.retry import (
    ERROR,
    FINGERPRINT,
    FIRST_FAILED,
    ORIGIN_EXCHANGE,
    ORIGIN_KEY,
    ORIGIN_QUEUE,
    REASON,
    identity_headers,
)

log = structlog.get_logger()
OUTBOX = "outbox"  # the `queue` of a message that never left this service

_REPLAY = text("""
insert into outbox (id, exchange, routing_key, type, aggregate, version, body, headers, correlation_id, reply_to)
values (:id, :exchange, :routing_key, :type, :aggregate, :version, :body, cast(:headers as jsonb), :correlation_id,
  :reply_to)""")
_RELEASE = text("""
update outbox set parked_at = null, next_at = null, attempts = 0, last_error = null
where id = :message_id and parked_at is not null and sent_at is null returning position""")
_PARK_ROW = """
with given_up as (
  update outbox set parked_at = now(), attempts = attempts + 1, last_error = $2 where position = $1 returning *)
insert into parked_message (id, queue, message_id, type, exchange, routing_key, body, headers, correlation_id, reply_to,
  reason, error, fingerprint, attempts, first_failed_at)
select $3, 'outbox', id, type, exchange, routing_key, coalesce(body, convert_to(payload::text, 'utf8')), headers,
  correlation_id, reply_to, 'unroutable', $2, 'unroutable', attempts, created_at from given_up
on conflict (queue, message_id) do update set
  state = 'parked', parked_at = now(), error = excluded.error, times_parked = parked_message.times_parked + 1"""
_OF_A_FAILURE = {ATTEMPT, ORIGIN_QUEUE, ORIGIN_EXCHANGE, ORIGIN_KEY, FIRST_FAILED, REASON, ERROR, FINGERPRINT}


async def replay(session: AsyncSession, parked_id: UUID, *, actor: str, note: str = "") -> ParkedMessage:
    """Send a parked message to its own queue again, as the same message.

    Only its handler sees it, and not as a duplicate: what was parked never committed, so no inbox knows it.
    Raises `ParkedMessageNotFound`, `NotParked`.
    """
    parked = await _take(session, parked_id, "replay", actor=actor, note=note)
    parked.state = "replayed"
    parked.replay_count += 1
    if parked.queue == OUTBOX and (await session.execute(_RELEASE, {"message_id": parked.message_id})).first():
        await session.execute(text("select pg_notify('outbox', '')"))
        return parked
    headers = {name: value for name, value in parked.headers.items() if name not in _OF_A_FAILURE}
    headers |= identity_headers(parked.message_id, parked.type, parked.user_id)
    home = parked.queue != OUTBOX
    await session.execute(
        _REPLAY,
        {
            "id": new_id(),
            "exchange": DEFAULT_EXCHANGE if home else parked.exchange,
            "routing_key": parked.queue if home else parked.routing_key,
            "type": parked.type,
            "aggregate": f"parked:{parked.id}",
            "version": parked.replay_count,
            "body": parked.body,
            "headers": dump_json(headers),
            "correlation_id": parked.correlation_id,
            "reply_to": parked.reply_to,
        },
    )
    return parked


async def discard(session: AsyncSession, parked_id: UUID, *, actor: str, note: str = "") -> ParkedMessage:
    """Give a parked message up for good; it stays to be seen until its retention ends.

    Raises `ParkedMessageNotFound`, `NotParked`.
    """
    parked = await _take(session, parked_id, "discard", actor=actor, note=note)
    parked.state = "discarded"
    return parked


async def _take(session: AsyncSession, parked_id: UUID, action: str, *, actor: str, note: str) -> ParkedMessage:
    parked = await get_parked(session, parked_id, lock=True)
    if parked.state != "parked":
        raise NotParked(state=parked.state)
    session.add(ParkedAudit(parked_id=parked.id, action=action, actor=actor, note=note))
    log.info("parked_message_taken", action=action, actor=actor, parked_id=str(parked.id), message_type=parked.type)
    return parked


async def park_unroutable(connection: asyncpg.Connection, row: Row, error: str) -> None:
    """Take an outbox row out of the relay's sight and into the operators'."""
    await connection.execute(_PARK_ROW, row.position, error, new_id())
