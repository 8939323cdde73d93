"""The sending half: a message is stored in the transaction that makes it true; the relay publishes it after commit."""

from uuid import UUID

from sqlalchemy import BigInteger, Integer, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from uuid_utils.compat import uuid7

from common.messaging.envelope import DEFAULT_EXCHANGE, REQUEST_ID, TRACEPARENT, Command, Event
from common.telemetry import request_id, traceparent

CHANNEL = "outbox"
MAX_ITEMS = 500

# For constant statements that write effect and message in one round trip: append `values (…)` or `select …`.
#   id uuid (`new_id()`) · exchange text (`lectern.events`, `lectern.commands`) · routing_key text · type text ·
#   aggregate text · version bigint · payload jsonb · headers jsonb (`context_headers()`) · correlation_id text ·
#   reply_to text · batch_field text and items int (the list's name and length, or both null: not to be merged)
COLUMNS = (
    "id, exchange, routing_key, type, aggregate, version, payload, headers, "
    "correlation_id, reply_to, batch_field, items"
)
INSERT = f"insert into outbox ({COLUMNS})"


class _Base(DeclarativeBase):
    """Apart from every service's metadata: migrations create the table from its text, Alembic never compares it."""


class OutboxMessage(_Base):
    """The columns a sender sets; position, times and delivery state are the database's and the relay's."""

    __tablename__ = "outbox"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    exchange: Mapped[str] = mapped_column(Text)
    routing_key: Mapped[str] = mapped_column(Text)
    type: Mapped[str] = mapped_column(Text)
    aggregate: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(BigInteger)
    payload: Mapped[dict[str, object]] = mapped_column(JSONB)
    headers: Mapped[dict[str, str]] = mapped_column(JSONB)
    correlation_id: Mapped[str | None] = mapped_column(Text)
    reply_to: Mapped[str | None] = mapped_column(Text)
    batch_field: Mapped[str | None] = mapped_column(Text)
    items: Mapped[int | None] = mapped_column(Integer)


def new_id() -> UUID:
    """A message id; it grows with time, so the inboxes' indexes grow at one end."""
    return uuid7()


def context_headers() -> dict[str, str]:
    """Request id and trace context of the work being done now, for the message's headers."""
    known = {REQUEST_ID: request_id.get(), TRACEPARENT: traceparent.get()}
    return {name: value for name, value in known.items() if value is not None}


def record(
    session: AsyncSession,
    message: Event | Command,
    *,
    aggregate: str,
    version: int,
    routing_key: str | None = None,
    correlation_id: str | None = None,
    reply_to: str | None = None,
    queue: str | None = None,
) -> UUID:
    """Store *message* in the caller's transaction and return its id. With *queue* it goes there and nowhere else.

    Messages of one *aggregate* are published in the order they were recorded, so take its row lock first. `reply_to`
    of a command is where the answer shall go; of an event, a queue that gets a copy besides the event's hearers.
    """
    payload = message.model_dump(mode="json")
    mergeable = (
        message.batch_field if list(payload) == [message.batch_field] and not (correlation_id or reply_to) else None
    )
    row = OutboxMessage(
        id=new_id(),
        exchange=message.exchange if queue is None else DEFAULT_EXCHANGE,
        routing_key=queue or routing_key or message.type,
        type=message.type,
        aggregate=aggregate,
        version=version,
        payload=payload,
        headers=context_headers(),
        correlation_id=correlation_id,
        reply_to=reply_to,
        batch_field=mergeable,
        items=len(payload[mergeable]) if mergeable else None,
    )
    session.add(row)
    return row.id
