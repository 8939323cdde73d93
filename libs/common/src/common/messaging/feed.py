"""One queue's stream of batches: attached, watched, attached again when the connection or the consumer has died."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity

from common.messaging import metrics
from common.messaging.lifecycle import Stopped, backoff, first_of
from common.messaging.topology import apply_topology
from common.messaging.transport import CALL_SECONDS, TRANSPORT_ERRORS, TransportDown, close_quietly, connect
from common.settings import ServiceSettings

log = structlog.get_logger()
WATCH_SECONDS = 15.0

# Returns when every message of the batch is settled: its effect committed, or a copy of it safe with the broker.
Settle = Callable[[Sequence[AbstractIncomingMessage]], Awaitable[None]]


class Feed:
    """Hands batches of *queue* to *settle*, one after the other, and acknowledges each as a whole."""

    def __init__(
        self,
        settings: ServiceSettings,
        *,
        name: str,
        queue: str,
        batch: int,
        settle: Settle,
        watch: float = WATCH_SECONDS,
    ) -> None:
        self._settings, self._name, self._queue, self._batch = settings, name, queue, batch
        self._settle, self._watch = settle, watch
        self._buffer: deque[AbstractIncomingMessage] = deque()
        self._arrived = asyncio.Event()
        self._taken = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Until *stop*; then the batch in hand is settled and what is only buffered goes back to the queue."""
        failures = 0
        while not stop.is_set():
            started = time.monotonic()
            try:
                await self._attach(stop)
                failures = failures + 1 if time.monotonic() - started < 1 else 0
            except Stopped:
                return
            except ChannelNotFoundEntity:
                log.warning("queue_missing", queue=self._queue)
                failures = await self._redeclare(failures)
            except (*TRANSPORT_ERRORS, TransportDown, RuntimeError) as error:
                failures += 1
                log.warning("consumer_lost_broker", queue=self._queue, error=repr(error))
            if failures:
                await first_of(stop, timeout=backoff(failures, limit=1))

    async def _redeclare(self, failures: int) -> int:
        """Somebody deleted the queue: its place in the topology is still known."""
        try:
            await apply_topology(self._settings)
        except (*TRANSPORT_ERRORS, RuntimeError) as error:
            log.warning("queue_not_declared", queue=self._queue, error=repr(error))
        return failures + 1

    async def _attach(self, stop: asyncio.Event) -> None:
        """Consume until the connection, the channel or the consumer is gone, or *stop*."""
        connection = await connect(self._settings.amqp_url.get_secret_value(), f"{self._name} {self._queue}")
        lost = asyncio.Event()
        watching: asyncio.Task[None] | None = None
        self._buffer.clear()  # deliveries of a former channel: the broker sends them again
        try:
            channel = await connection.channel(publisher_confirms=False)
            await channel.set_qos(prefetch_count=2 * self._batch, timeout=CALL_SECONDS)
            queue = await channel.declare_queue(self._queue, passive=True, timeout=CALL_SECONDS)
            channel.close_callbacks.add(lambda *_: lost.set())
            (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(lambda _: lost.set())
            tag = await queue.consume(self._receive, timeout=CALL_SECONDS)
            log.info("consumer_attached", queue=self._queue)
            watching = asyncio.ensure_future(self._watch_over(connection, channel, lost))
            await self._work(stop, lost)
            if stop.is_set() and not lost.is_set():
                await queue.cancel(tag, timeout=CALL_SECONDS)
            elif lost.is_set():
                log.warning("consumer_lost", queue=self._queue)
        finally:
            if watching is not None:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
            await close_quietly(connection)

    async def _work(self, stop: asyncio.Event, lost: asyncio.Event) -> None:
        while not stop.is_set() and not lost.is_set():
            if not self._buffer:
                self._arrived.clear()
                await first_of(self._arrived, stop, lost)
                await asyncio.sleep(0)  # frames read in the same moment join this batch
                continue
            batch = [self._buffer.popleft() for _ in range(min(self._batch, len(self._buffer)))]
            await self._settle(batch)
            if not lost.is_set():
                # batches are settled one after the other, so every lower tag of this channel is settled too
                await batch[-1].ack(multiple=True)

    async def _receive(self, delivery: AbstractIncomingMessage) -> None:
        self._buffer.append(delivery)
        self._taken += 1
        self._arrived.set()

    async def _watch_over(self, connection: AbstractConnection, channel: AbstractChannel, lost: asyncio.Event) -> None:
        """Give up an attachment that looks alive and is not: the broker has no consumer, or messages but sends none."""
        before, hungry = self._taken, 0
        while not lost.is_set():
            await first_of(lost, timeout=self._watch)
            try:
                # a channel of its own: a queue that is gone closes the channel that asks
                async with asyncio.timeout(min(CALL_SECONDS, self._watch)):
                    asking = await connection.channel(publisher_confirms=False)
                    state = (await asking.declare_queue(self._queue, passive=True)).declaration_result
                await close_quietly(asking)
            except (*TRANSPORT_ERRORS, RuntimeError) as error:
                log.warning("watchdog_no_answer", queue=self._queue, error=repr(error))
                lost.set()
                return
            ready, consumers = state.message_count or 0, state.consumer_count or 0
            metrics.READY.labels(self._queue).set(ready)
            metrics.CONSUMERS.labels(self._queue).set(consumers)
            # twice: a message that came in this very moment is no sign of trouble
            hungry = hungry + 1 if ready > 0 and not self._buffer and self._taken == before else 0
            if channel.is_closed or consumers == 0 or hungry > 1:
                log.warning("watchdog_rebuilds", queue=self._queue, consumers=consumers, ready=ready)
                lost.set()
            before = self._taken
