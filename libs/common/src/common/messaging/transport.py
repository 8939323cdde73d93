"""The broker's wire: connections of our own settings, and publishing that knows what became of every message.

Connections are aio-pika's plain ones. A lost connection is closed and replaced by us, in one place per role: the outbox
replays what was not confirmed and the broker what was not acknowledged, so nothing is worth restoring in between.
"""

import asyncio
import contextlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, HeadersType
from aio_pika.exceptions import AMQPError, ChannelClosed, ChannelInvalidStateError, DeliveryError, PublishError
from pamqp.commands import Basic
from yarl import URL

from common.messaging import decoding

log = structlog.get_logger()
CALL_SECONDS = 10.0
HEARTBEAT_SECONDS = 15

# What the client raises when the link is the trouble, whatever the call was. RuntimeError is its own word for using a
# connection that has just gone ("Connection closed"); a timed-out call is unknown, never undone.
TRANSPORT_ERRORS = (AMQPError, ChannelInvalidStateError, OSError, TimeoutError, asyncio.InvalidStateError)


class TransportDown(Exception):
    """No answer from the broker: the message may or may not have arrived, and comes again."""


class Returned(Exception):
    """The broker took the message and found no queue for it."""


class Refused(Exception):
    """A queue refused the message: it is full."""


class Unsendable(Exception):
    """The message has no form on the wire: a correlation id is at most 255 bytes long there, for one."""


class ChannelRefused(TransportDown):
    """The broker closed the channel over one of the publishes in flight (missing exchange, oversize, forged user)."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One publish. `message_id` is unique among those in flight: the client matches returns by it."""

    exchange: str
    routing_key: str
    body: bytes
    message_id: str
    type: str
    headers: Mapping[str, object] = field(default_factory=dict)
    correlation_id: str | None = None
    reply_to: str | None = None
    timestamp: datetime | None = None
    mandatory: bool = True


def broker_user(url: str) -> str:
    """The login of *url*; the broker checks the `user_id` of what we publish against it."""
    return URL(url).user or "guest"


async def connect(url: str, name: str) -> AbstractConnection:
    """A connection whose death is noticed within a minute. Raises one of `TRANSPORT_ERRORS`."""
    decoding.install()
    target = URL(url).update_query(heartbeat=HEARTBEAT_SECONDS, name=name)
    try:
        return await aio_pika.connect(target, timeout=CALL_SECONDS)
    except RuntimeError as error:
        raise ConnectionError(str(error)) from error


async def close_quietly(connection: AbstractConnection | AbstractChannel, *, seconds: float = 5) -> None:
    """Close what may be dead already; a broker that does not answer is not waited for."""
    with contextlib.suppress(*TRANSPORT_ERRORS, RuntimeError):
        async with asyncio.timeout(seconds):
            await connection.close()


class Publisher:
    """Publishes with confirms over a connection of its own: a blocked publisher must not hold back acknowledgements.

    Any doubt about the connection ends it; the next publish opens another. Dropping it also drops what was queued in
    the client, so a message that timed out is not sent again beside itself.
    """

    def __init__(self, url: str, *, name: str, timeout: float = CALL_SECONDS) -> None:
        self._url, self._name, self._timeout = url, name, timeout
        self._user = broker_user(url)
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._exchanges: dict[str, AbstractExchange] = {}
        self._opening = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def publish(self, parcel: Parcel) -> None:
        """Return when the broker has it safe. Raises `Returned`, `Refused`, `Unsendable` or `TransportDown`."""
        try:
            channel, exchange = await self._open(parcel.exchange)
        except TRANSPORT_ERRORS as error:
            raise TransportDown(repr(error)) from error
        try:
            result = await exchange.publish(
                self._message(parcel), parcel.routing_key, mandatory=parcel.mandatory, timeout=self._timeout
            )
        except PublishError as error:
            raise Returned(f"no queue for {parcel.routing_key!r} at {parcel.exchange!r}") from error
        except DeliveryError as error:
            raise Refused(repr(error)) from error
        except ChannelClosed as error:
            self._drop(channel)
            raise ChannelRefused(repr(error)) from error
        except (struct.error, TypeError, ValueError) as error:
            # raised while the frame is written, before anything of it is sent: the channel is as it was
            raise Unsendable(repr(error)) from error
        except (*TRANSPORT_ERRORS, RuntimeError) as error:
            self._drop(channel)
            raise TransportDown(repr(error)) from error
        if not isinstance(result, Basic.Ack):
            raise Returned(f"not confirmed: {result!r}")

    async def close(self) -> None:
        if self._channel is not None:
            self._drop(self._channel)
        await asyncio.gather(*self._closing)

    def _message(self, parcel: Parcel) -> aio_pika.Message:
        headers: HeadersType = dict(parcel.headers)  # type: ignore[arg-type]  # names and values of ours, all scalar
        return aio_pika.Message(
            parcel.body,
            headers=headers,
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=parcel.message_id,
            type=parcel.type,
            correlation_id=parcel.correlation_id,
            reply_to=parcel.reply_to,
            timestamp=parcel.timestamp,
            user_id=self._user,
        )

    async def _open(self, exchange: str) -> tuple[AbstractChannel, AbstractExchange]:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                if self._channel is not None:
                    self._drop(self._channel)
                connection = await connect(self._url, self._name)
                try:
                    async with asyncio.timeout(self._timeout):
                        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                except BaseException:
                    self._forget(connection)
                    raise
                self._connection, self._channel, self._exchanges = connection, channel, {"": channel.default_exchange}
            if exchange not in self._exchanges:
                self._exchanges[exchange] = await self._channel.get_exchange(exchange, ensure=False)
            return self._channel, self._exchanges[exchange]

    def _drop(self, channel: AbstractChannel) -> None:
        """Leave the connection of *channel*, unless another publish did so before."""
        if channel is self._channel and self._connection is not None:
            self._forget(self._connection)
            self._connection = self._channel = None

    def _forget(self, connection: AbstractConnection) -> None:
        closing = asyncio.ensure_future(close_quietly(connection))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
