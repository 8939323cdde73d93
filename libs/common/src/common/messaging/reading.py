"""From what the broker delivers to a `Message`: whose it is, what it is, and which one it is."""

from collections.abc import Collection
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from aio_pika.abc import AbstractIncomingMessage

from common.messaging.envelope import ATTEMPT, CE_ID, CE_SOURCE, CE_TIME, CE_TYPE, Malformed, Message
from common.messaging.outbox import new_id
from common.messaging.retry import USER
from common.messaging.topology import BULK

_MOST_ATTEMPTS = 1_000_000
_FOREIGN_IDS = uuid5(NAMESPACE_URL, "lectern:foreign")


def read(delivery: AbstractIncomingMessage, *, handled: Collection[str], own_user: str) -> Message:
    """The message in *delivery*. Raises `Malformed`."""
    return Message(
        id=identity_of(delivery),
        type=type_of(delivery, handled=handled),
        body=delivery.body,
        headers=delivery.headers,
        correlation_id=delivery.correlation_id,
        reply_to=delivery.reply_to,
        user_id=publisher_of(delivery, own_user=own_user),
        published_at=published_at(delivery),
        redelivered=bool(delivery.redelivered),
        attempt=attempt_of(delivery),
    )


def identity_of(delivery: AbstractIncomingMessage) -> UUID:
    """The CloudEvents id; one that is no UUID counts together with its source. Raises `Malformed`.

    Without one the message is new. AMQP's own `message_id` says nothing: foreign publishers leave it out, or repeat it
    when they publish a command again to hear its answer again. A command has an identity of its own in its body.
    """
    given = delivery.headers.get(CE_ID)
    if given is None:
        return new_id()
    if not isinstance(given, str) or not given.strip():
        raise Malformed(f"Unreadable message id {given!r}.")
    try:
        return UUID(given)
    except ValueError:
        source = delivery.headers.get(CE_SOURCE)
        return uuid5(_FOREIGN_IDS, f"{source if isinstance(source, str) else ''}\n{given}")


def type_of(delivery: AbstractIncomingMessage, *, handled: Collection[str]) -> str:
    """The first name that is handled here: CloudEvents type, AMQP type, routing key. Raises `Malformed`."""
    key = (delivery.routing_key or "").removesuffix(BULK) if delivery.exchange else ""
    given: tuple[object, ...] = (delivery.headers.get(CE_TYPE), delivery.type, key)
    names = [name for name in given if isinstance(name, str) and name]
    if not names:
        raise Malformed("The message has no type.")
    found = next((name for name in names if name in handled), names[0])
    if found not in handled and any(_family(found) == _family(name) for name in handled):
        raise Malformed(f"Unknown version {found!r} of a type that is handled here.")
    return found


def _family(name: str) -> str:
    return name.rpartition(".v")[0]


def publisher_of(delivery: AbstractIncomingMessage, *, own_user: str) -> str | None:
    """The broker user who published first. A copy of ours carries the name in a header that others cannot forge."""
    carried = delivery.headers.get(USER)
    if delivery.user_id == own_user and isinstance(carried, str):
        return carried
    return delivery.user_id


def attempt_of(delivery: AbstractIncomingMessage) -> int:
    """How often it was tried; a foreign header says so too, but can neither count backwards nor beyond any table."""
    value = delivery.headers.get(ATTEMPT)
    return min(value, _MOST_ATTEMPTS) if isinstance(value, int) and value > 0 else 0


def published_at(delivery: AbstractIncomingMessage) -> datetime | None:
    """When the change was made: the CloudEvents time, else AMQP's timestamp (whole seconds)."""
    given = delivery.headers.get(CE_TIME)
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else delivery.timestamp
    except ValueError:
        return delivery.timestamp
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)
