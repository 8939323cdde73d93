"""From the service's parked queue into its table, where operators find it."""

import asyncio
import base64
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import structlog
from aio_pika.abc import AbstractIncomingMessage
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from common.database import dump_json
from common.messaging.envelope import CE_TYPE, Malformed
from common.messaging.leadership import DATABASE_ERRORS
from common.messaging.lifecycle import Stopped, backoff, first_of
from common.messaging.outbox import new_id
from common.messaging.reading import attempt_of, identity_of, publisher_of
from common.messaging.retry import (
    ERROR,
    FINGERPRINT,
    FIRST_FAILED,
    ORIGIN_EXCHANGE,
    ORIGIN_KEY,
    ORIGIN_QUEUE,
    REASON,
    own_headers,
)
from common.values import in_utc

log = structlog.get_logger()
_NUL = re.compile("\x00")

# Parked again after a replay: the same row, with the newest failure.
_STORE = text("""
insert into parked_message (id, queue, message_id, type, exchange, routing_key, body, headers, correlation_id, reply_to,
  user_id, reason, error, fingerprint, attempts, first_failed_at)
values (:id, :queue, :message_id, :type, :exchange, :routing_key, :body, cast(:headers as jsonb), :correlation_id,
  :reply_to, :user_id, :reason, :error, :fingerprint, :attempts, :first_failed_at)
on conflict (queue, message_id) do update set
  state = 'parked', parked_at = now(), reason = excluded.reason, error = excluded.error,
  fingerprint = excluded.fingerprint, attempts = excluded.attempts, times_parked = parked_message.times_parked + 1,
  headers = excluded.headers""")


class ParkedIntake:
    """Settles batches of the parked queue. Nothing is refused here: whatever it is, it can be stored and shown."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], *, own_user: str, stop: asyncio.Event) -> None:
        self._sessions, self._own_user, self._stop = sessions, own_user, stop

    async def settle(self, batch: Sequence[AbstractIncomingMessage]) -> None:
        """Store *batch*, however long the database is away. Raises `Stopped`."""
        rows, failures = [self._row(delivery) for delivery in batch], 0
        while True:
            try:
                async with self._sessions.begin() as session:
                    for row in rows:
                        await session.execute(_STORE, row)
            except DATABASE_ERRORS as error:
                failures += 1
                log.warning("parking_waits_for_database", error=repr(error))
                await first_of(self._stop, timeout=backoff(failures, limit=5))
                if self._stop.is_set():
                    raise Stopped from error
            else:
                return

    def _row(self, delivery: AbstractIncomingMessage) -> dict[str, object]:
        headers = delivery.headers
        # without our headers the broker dead-lettered it: too many deliveries died with their process
        died = REASON not in headers
        first_death = {name: _text(headers.get(f"x-first-death-{name}")) for name in ("queue", "exchange", "reason")}
        return {
            "id": new_id(),
            "queue": _text(headers.get(ORIGIN_QUEUE)) or first_death["queue"] or "unknown",
            "message_id": _identity(delivery),
            "type": _text(headers.get(CE_TYPE) or delivery.type or delivery.routing_key),
            "exchange": _text(headers.get(ORIGIN_EXCHANGE)) or first_death["exchange"],
            "routing_key": _text(headers.get(ORIGIN_KEY) or delivery.routing_key),
            "body": delivery.body,
            "headers": dump_json(_plain(own_headers(headers))),
            "correlation_id": _text(delivery.correlation_id) or None,
            "reply_to": _text(delivery.reply_to) or None,
            "user_id": publisher_of(delivery, own_user=self._own_user),
            "reason": "delivery_limit" if died else _text(headers.get(REASON)),
            "error": "Every process that took this message died with it." if died else _text(headers.get(ERROR)),
            "fingerprint": _text(headers.get(FINGERPRINT)) or "delivery_limit",
            "attempts": attempt_of(delivery),
            "first_failed_at": _moment(headers.get(FIRST_FAILED)),
        }


def _identity(delivery: AbstractIncomingMessage) -> UUID:
    try:
        return identity_of(delivery)
    except Malformed:
        return new_id()


def _text(value: object) -> str:
    """Anything as text PostgreSQL stores."""
    return _NUL.sub("", "" if value is None else str(value))


def _plain(value: object) -> object:
    """AMQP's values as JSON has them."""
    if isinstance(value, Mapping):
        return {_text(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if value is None or isinstance(value, bool | int | float):
        return value
    return _text(value)


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
        return in_utc(moment) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        return datetime.now(UTC)
