"""What a failure means, and the copies that carry a failed message to a retry tier or to the parking lot."""

import traceback
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum
from hashlib import sha256
from typing import overload
from uuid import uuid4

import asyncpg
from aio_pika.abc import AbstractIncomingMessage
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from common.messaging.envelope import ATTEMPT, CE_ID, CE_TYPE, DEFAULT_EXCHANGE, Malformed, Permanent
from common.messaging.topology import parked_queue, retry_exchange
from common.messaging.transport import Parcel

# Headers of ours on copies. The broker user of the first publisher travels in a header, which is believed only when the
# broker vouches that the copy was published by us.
USER = "x-lectern-user"
FIRST_FAILED = "x-first-failed-at"
ORIGIN_QUEUE = "x-origin-queue"
ORIGIN_EXCHANGE = "x-origin-exchange"
ORIGIN_KEY = "x-origin-routing-key"
REASON = "x-reason"
ERROR = "x-error"
FINGERPRINT = "x-fingerprint"

_OURS = frozenset(
    {CE_ID, CE_TYPE, ATTEMPT, USER, FIRST_FAILED, ORIGIN_QUEUE, ORIGIN_EXCHANGE, ORIGIN_KEY, REASON, ERROR, FINGERPRINT}
)

# The broker's notes on earlier dead-lettering: a copy is a new message, not one going round in circles.
_BROKERS = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "x-acquired-count", "x-opt-")
_ERROR_LENGTH = 2000
_SHORT = 255  # bytes

# Connection lost, server going or coming, I/O; serialization and deadlock; lock not available, statement timeout.
_TRANSIENT_STATES = ("08", "57P", "53", "58", "40", "55P03", "57014")


class Failure(Enum):
    """What an exception of a handler, or of its transaction, says about trying again."""

    TRANSIENT = "transient"  # at once, then later
    PERMANENT = "permanent"  # never: park
    UNKNOWN = "unknown"  # later, a few times


def classify(error: BaseException) -> Failure:
    """The kind of *error*, looking through the database layers to the server's code."""
    if isinstance(error, Permanent | ValidationError):
        return Failure.PERMANENT
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, ConnectionError | TimeoutError | PoolTimeout | asyncpg.InternalClientError):
        return Failure.TRANSIENT
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return Failure.TRANSIENT
    state = getattr(cause, "sqlstate", None)
    return Failure.TRANSIENT if isinstance(state, str) and state.startswith(_TRANSIENT_STATES) else Failure.UNKNOWN


def fingerprint(error: BaseException) -> str:
    """Equal for failures with the same cause: the error's class and the innermost frame outside the libraries."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "site-packages" not in frame.filename] or list(frames)
    place = f"{ours[-1].filename.rsplit('/src/', 1)[-1]}:{ours[-1].name}" if ours else ""
    return sha256(f"{type(error).__qualname__} {place}".encode()).hexdigest()[:16]


def retry_copy(
    delivery: AbstractIncomingMessage,
    *,
    queue: str,
    service: str,
    tier: str,
    attempt: int,
    identity: Mapping[str, object],
) -> Parcel:
    """A copy that waits in *tier* and comes back to *queue* alone, whose name is its routing key."""
    headers = _carried(delivery, queue) | dict(identity) | {ATTEMPT: attempt}
    return _copy(delivery, headers, exchange=retry_exchange(service, tier), routing_key=queue)


def parked_copy(
    delivery: AbstractIncomingMessage,
    *,
    queue: str,
    service: str,
    error: BaseException,
    reason: str,
    attempt: int,
    identity: Mapping[str, object],
) -> Parcel:
    """A copy for the parking lot that says where it failed and why."""
    headers = _carried(delivery, queue) | dict(identity)
    headers |= {
        ATTEMPT: attempt,
        REASON: reason,
        ERROR: f"{type(error).__name__}: {error}"[:_ERROR_LENGTH],
        FINGERPRINT: fingerprint(error),
    }
    return _copy(delivery, headers, exchange=DEFAULT_EXCHANGE, routing_key=parked_queue(service))


def reason_of(error: BaseException) -> str:
    """The word an operator filters by."""
    if isinstance(error, Malformed | ValidationError):
        return "malformed"
    return "permanent" if classify(error) is Failure.PERMANENT else "exhausted"


def own_headers(headers: Mapping[str, object]) -> dict[str, object]:
    """*headers* without what brokers add on the way."""
    return {name: value for name, value in headers.items() if not name.startswith(_BROKERS)}


def _carried(delivery: AbstractIncomingMessage, queue: str) -> dict[str, object]:
    headers = own_headers(delivery.headers)
    headers.setdefault(ORIGIN_QUEUE, queue)
    headers.setdefault(ORIGIN_EXCHANGE, delivery.exchange or "")
    headers.setdefault(ORIGIN_KEY, delivery.routing_key or "")
    headers.setdefault(FIRST_FAILED, datetime.now(UTC).isoformat())
    return headers


def _copy(
    delivery: AbstractIncomingMessage, headers: Mapping[str, object], *, exchange: str, routing_key: str
) -> Parcel:
    return Parcel(
        exchange=exchange,
        routing_key=routing_key,
        body=delivery.body,
        message_id=str(uuid4()),
        type=_short(str(headers.get(CE_TYPE) or delivery.type or "")),
        headers=headers,
        correlation_id=_short(delivery.correlation_id),
        reply_to=_short(delivery.reply_to),
        timestamp=delivery.timestamp,
    )


def bare(copy: Parcel) -> Parcel:
    """*copy* with no headers but ours: a stranger's can be read and have no form in which they could be written."""
    return replace(copy, headers={name: value for name, value in copy.headers.items() if name in _OURS})


@overload
def _short(text: str) -> str: ...
@overload
def _short(text: None) -> None: ...
def _short(text: str | None) -> str | None:
    """What fits a property of AMQP; a text that came in one can have grown, where it was no UTF-8."""
    return None if text is None else text.encode(errors="replace")[:_SHORT].decode(errors="ignore")


def identity_headers(message_id: object, message_type: str, user_id: str | None) -> dict[str, object]:
    """What makes a copy the same message as the one it was copied from."""
    named: dict[str, object] = {CE_ID: str(message_id), CE_TYPE: message_type}
    return named | ({USER: user_id} if user_id else {})
