"""Batches of messages become effects: one transaction with the inbox first, acknowledged after commit.

A failing batch is halved until the message at fault stands alone; that one is tried again now, later, or parked, and
its neighbours are done.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import structlog
from aio_pika.abc import AbstractIncomingMessage

from common.messaging import crash, metrics
from common.messaging.envelope import Handler, Malformed, Message, Subscription
from common.messaging.feed import WATCH_SECONDS, Feed
from common.messaging.inbox import remember
from common.messaging.leadership import DATABASE_ERRORS
from common.messaging.lifecycle import Stopped, backoff, first_of, run_until_cancelled
from common.messaging.parking.intake import ParkedIntake
from common.messaging.reading import attempt_of, identity_of, publisher_of, read
from common.messaging.retry import Failure, bare, classify, identity_headers, parked_copy, reason_of, retry_copy
from common.messaging.topology import load_topology, parked_queue, prefix_of
from common.messaging.transport import Parcel, Publisher, Refused, Returned, TransportDown, Unsendable, broker_user
from common.resources import Resources
from common.telemetry import accepted_traceparent, request_id, traceparent

log = structlog.get_logger()
_QUICK_TRIES = 3


@dataclass(frozen=True, slots=True)
class _Held:
    delivery: AbstractIncomingMessage
    message: Message


async def run_consumers(
    resources: Resources, subscriptions: Sequence[Subscription], *, watch_seconds: float = WATCH_SECONDS
) -> None:
    """Consume every subscribed queue and the parking lot; runs until cancelled, then settles what is in hand."""
    settings, service = resources.settings, resources.service
    topology = load_topology(settings.topology_file)
    queues = topology.work_queues.get(prefix_of(service), ())
    subscribed = {subscription.queue for subscription in subscriptions}
    for queue in queues:
        if queue not in subscribed:
            log.error("queue_without_subscription", queue=queue)

    async def work(stop: asyncio.Event) -> None:
        publisher = Publisher(settings.amqp_url.get_secret_value(), name=f"{service} retries")
        feeds = []
        for one in subscriptions:
            consumer = Consumer(resources, one, publisher, topology.tiers, stop)
            feeds.append(
                Feed(
                    settings,
                    name=service,
                    queue=one.queue,
                    batch=one.batch,
                    settle=consumer.settle,
                    watch=watch_seconds,
                )
            )
        if queues:
            intake = ParkedIntake(
                resources.sessions, own_user=broker_user(settings.amqp_url.get_secret_value()), stop=stop
            )
            parked = parked_queue(service)
            feeds.append(
                Feed(settings, name=service, queue=parked, batch=50, settle=intake.settle, watch=watch_seconds)
            )
        try:
            async with asyncio.TaskGroup() as group:
                for feed in feeds:
                    group.create_task(feed.run(stop))
                group.create_task(_until(stop))
        finally:
            await publisher.close()

    await run_until_cancelled(work, grace=settings.shutdown_seconds / 2)


async def _until(stop: asyncio.Event) -> None:
    """Keeps a service without subscriptions in its role."""
    await stop.wait()


class Consumer:
    """Settles the batches of one subscription."""

    def __init__(
        self,
        resources: Resources,
        subscription: Subscription,
        publisher: Publisher,
        tiers: Sequence[str],
        stop: asyncio.Event,
    ) -> None:
        self._resources, self._subscription = resources, subscription
        self._publisher, self._tiers, self._stop = publisher, tiers, stop
        self._own_user = broker_user(resources.settings.amqp_url.get_secret_value())

    async def settle(self, batch: Sequence[AbstractIncomingMessage]) -> None:
        """Handle *batch* so that each message is done, known, waiting in a retry tier, or on its way to parking."""
        held: list[_Held] = []
        handled = self._subscription.handlers
        for delivery in batch:
            try:
                message = read(delivery, handled=handled, own_user=self._own_user)
            except Malformed as error:
                await self._park_unread(delivery, error)
                continue
            if message.type in handled:
                held.append(_Held(delivery, message))
            else:
                self._count("unknown", "unknown")
        if held:
            await self._apply(held)

    async def _apply(self, held: Sequence[_Held]) -> None:
        error = await self._attempt(held)
        if error is None:
            return
        if len(held) == 1:
            await self._give_up_for_now(held[0], error)
            return
        middle = len(held) // 2
        await self._apply(held[:middle])
        await self._apply(held[middle:])

    async def _attempt(self, held: Sequence[_Held]) -> Exception | None:
        """Run the transaction; what it failed with, once trying again at once makes no sense. Raises `Stopped`."""
        tries = outages = 0
        while True:
            try:
                await self._transaction([one.message for one in held])
            except Exception as error:  # noqa: BLE001 - whatever a handler raises is an outcome of these messages
                kind = classify(error)
                if kind is not Failure.PERMANENT and not await self._database_answers():
                    # nothing is wrong with the messages: neither retry tiers nor the parking lot are for an outage
                    outages += 1
                    log.warning("consumer_waits_for_database", queue=self._subscription.queue, error=repr(error))
                    await self._pause(backoff(outages, limit=5))
                elif kind is Failure.TRANSIENT and tries < _QUICK_TRIES - 1:
                    tries += 1
                    await self._pause(random.uniform(0.01, 0.05) * 2**tries)  # noqa: S311 - no secret
                else:
                    return error
            else:
                return None

    async def _database_answers(self) -> bool:
        try:
            async with asyncio.timeout(3), self._resources.engine.connect() as connection:
                await connection.exec_driver_sql("select 1")
        except DATABASE_ERRORS:
            return False
        return True

    async def _pause(self, seconds: float) -> None:
        await first_of(self._stop, timeout=seconds)
        if self._stop.is_set():
            raise Stopped

    async def _transaction(self, messages: Sequence[Message]) -> None:
        started = time.perf_counter()
        async with self._resources.sessions.begin() as session:
            fresh = await remember(session, self._subscription.name, [message.id for message in messages])
            new = self._unseen(messages, fresh)
            for handler, group in self._by_handler(new):
                with _context_of(group):
                    await handler(session, group)
            crash.point("consumer.before_commit")
        crash.point("consumer.after_commit")
        self._note(messages, new, time.perf_counter() - started)

    def _unseen(self, messages: Sequence[Message], fresh: set[UUID]) -> list[Message]:
        """The first of each message that the inbox did not know; all of them where handlers know repeats themselves."""
        if self._subscription.repeats:
            return list(messages)
        new = []
        for message in messages:
            if message.id in fresh:
                fresh.remove(message.id)
                new.append(message)
        return new

    def _by_handler(self, messages: Sequence[Message]) -> list[tuple[Handler, list[Message]]]:
        groups: dict[Handler, list[Message]] = {}
        for message in messages:
            groups.setdefault(self._subscription.handlers[message.type], []).append(message)
        return list(groups.items())

    async def _give_up_for_now(self, held: _Held, error: Exception) -> None:
        message, queue = held.message, self._subscription.queue
        identity = identity_headers(message.id, message.type, message.user_id)
        attempt = message.attempt + 1
        kind = classify(error)
        if kind is not Failure.PERMANENT and message.attempt < len(self._tiers):
            tier = self._tiers[message.attempt]
            copy = retry_copy(
                held.delivery,
                queue=queue,
                service=self._resources.service,
                tier=tier,
                attempt=attempt,
                identity=identity,
            )
            await self._hand_over(copy)
            self._count(message.type, "retried")
            log.warning("message_retried", **self._named(message), tier=tier, error=repr(error))
            return
        await self._park(held.delivery, error, attempt=attempt, identity=identity)
        self._count(message.type, "parked")
        log.error("message_parked", **self._named(message), exc_info=error)

    async def _park_unread(self, delivery: AbstractIncomingMessage, error: Malformed) -> None:
        try:
            found = str(identity_of(delivery))
        except Malformed:
            found = ""
        identity = identity_headers(found, delivery.type or "", publisher_of(delivery, own_user=self._own_user))
        await self._park(delivery, error, attempt=attempt_of(delivery) + 1, identity=identity if found else {})
        self._count("unknown", "parked")
        log.error("message_parked", queue=self._subscription.queue, error=str(error))

    async def _park(
        self, delivery: AbstractIncomingMessage, error: Exception, *, attempt: int, identity: dict[str, object]
    ) -> None:
        copy = parked_copy(
            delivery,
            queue=self._subscription.queue,
            service=self._resources.service,
            error=error,
            reason=reason_of(error),
            attempt=attempt,
            identity=identity,
        )
        await self._hand_over(copy)

    async def _hand_over(self, copy: Parcel) -> None:
        """Publish *copy*, and only then let the original go; without a confirm the original stays with the broker."""
        try:
            try:
                await self._publisher.publish(copy)
            except Unsendable as error:
                log.warning("copy_without_foreign_headers", queue=self._subscription.queue, error=repr(error))
                await self._publisher.publish(bare(copy))
        except (Returned, Refused) as error:
            raise TransportDown(f"no place for a copy: {error}") from error

    def _note(self, messages: Sequence[Message], new: Sequence[Message], seconds: float) -> None:
        queue = self._subscription.queue
        metrics.HANDLER_SECONDS.labels(queue).observe(seconds)
        metrics.BATCH.labels(queue).observe(len(messages))
        now = datetime.now(UTC)
        for message in new:
            self._count(message.type, "done")
            lag = max(0.0, (now - message.published_at).total_seconds()) if message.published_at else None
            if lag is not None:
                metrics.LAG.labels(queue).observe(lag)
            log.info("consumed", **self._named(message), lag=lag)
        if len(new) < len(messages):
            metrics.CONSUMED.labels(queue, "any", "duplicate").inc(len(messages) - len(new))

    def _named(self, message: Message) -> dict[str, object]:
        named: dict[str, object] = {
            "queue": self._subscription.queue,
            "message_id": str(message.id),
            "message_type": message.type,
        }
        return named | ({"request_id": message.request_id} if message.request_id else {})

    def _count(self, message_type: str, outcome: str) -> None:
        metrics.CONSUMED.labels(self._subscription.queue, message_type, outcome).inc()


@contextlib.contextmanager
def _context_of(messages: Sequence[Message]) -> Iterator[None]:
    """Request id and trace of *messages* for the handler's logs and the messages it records, when they share one."""
    ids = {message.request_id for message in messages}
    traces = {message.traceparent for message in messages}
    tokens = (
        request_id.set(ids.pop() if len(ids) == 1 else None),
        traceparent.set(accepted_traceparent(traces.pop()) if len(traces) == 1 else None),
    )
    single = messages[0] if len(messages) == 1 else None
    names = {"message_id": str(single.id), "message_type": single.type} if single else {}
    try:
        with structlog.contextvars.bound_contextvars(**names):
            yield
    finally:
        request_id.reset(tokens[0])
        traceparent.reset(tokens[1])
