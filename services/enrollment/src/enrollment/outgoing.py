"""Many outbox rows in one statement, for batches; single facts go through `common.messaging.outbox.record`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import asyncpg
import orjson

from common.messaging import outbox
from common.messaging.envelope import EVENTS

# What the relay may merge is stored as JSON, the rest byte for byte as it will be sent: PostgreSQL need not parse it,
# nor the relay print it. Headers as text: the session's connections and the pool's have different codecs for JSON.
_RECORD: Final = f"""
{outbox.INSERT.replace("payload,", "payload, body,")}
select i.id, i.exchange, i.routing_key, i.type, i.aggregate, i.version,
  case when i.batch_field is not null then convert_from(i.body, 'utf8')::jsonb end,
  case when i.batch_field is null then i.body end,
  i.headers::jsonb, i.correlation_id, i.reply_to, i.batch_field, i.items
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bytea[], $7::text[], $8::text[],
  $9::text[], $10::text[], $11::int[], $12::text[])
as i(id, routing_key, type, aggregate, version, body, headers, correlation_id, reply_to, batch_field, items, exchange)
"""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One event, or a command to another service; `body` is its JSON."""

    type: str
    body: bytes
    aggregate: str
    version: int = 1
    routing_key: str | None = None
    headers: Mapping[str, str] = field(default_factory=outbox.context_headers)
    correlation_id: str | None = None
    reply_to: str | None = None
    batch_field: str | None = None
    items: int | None = None
    exchange: str = EVENTS
    id: UUID = field(default_factory=outbox.new_id)


async def record_all(connection: asyncpg.Connection, events: Sequence[Outgoing]) -> None:
    """Store the events in the connection's transaction, in this order."""
    if not events:
        return
    rows = [
        (
            event.id,
            event.routing_key or event.type,
            event.type,
            event.aggregate,
            event.version,
            event.body,
            orjson.dumps(dict(event.headers)).decode(),
            event.correlation_id,
            event.reply_to,
            event.batch_field,
            event.items,
            event.exchange,
        )
        for event in events
    ]
    await connection.execute(_RECORD, *map(list, zip(*rows, strict=True)))
