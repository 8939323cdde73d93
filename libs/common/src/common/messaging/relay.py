"""The outbox's way to the broker: read what waits, publish with confirms, mark what the broker has.

At least once: a crash between confirm and mark publishes again, under the same id. In order per aggregate: a row
that fails holds back the later rows of its aggregate and nothing else. No transaction waits for the broker.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import orjson
import structlog

from common.messaging import crash, metrics
from common.messaging.envelope import EVENTS
from common.messaging.housekeeping import measure, tidy
from common.messaging.leadership import DATABASE_ERRORS, leadership
from common.messaging.lifecycle import backoff, first_of, run_until_cancelled
from common.messaging.merging import Row, Unit, arrange, parcels_of
from common.messaging.outbox import CHANNEL
from common.messaging.parking.operations import park_unroutable
from common.messaging.transport import ChannelRefused, Publisher, Refused, Returned, TransportDown, Unsendable
from common.resources import Resources

log = structlog.get_logger()

_FIELDS = """
position, id, exchange, routing_key, type, aggregate, version, payload::text as payload, body, headers::text as headers,
correlation_id, reply_to, batch_field, items, batch_id, created_at, attempts"""
# Due rows in order, without the aggregates that wait for a failed row, up to so many rows and so many stored bytes.
_CLAIM = f"""
with failing as materialized (
  select distinct aggregate from outbox
  where next_at > now() and next_at is not null and sent_at is null and parked_at is null),
due as (
  select *, coalesce(pg_column_size(payload), octet_length(body)) as size from outbox
  where sent_at is null and parked_at is null and (next_at is null or next_at <= now())
    and aggregate not in (select aggregate from failing)
  order by position limit $1),
measured as (select *, sum(size) over (order by position) - size as before from due)
select {_FIELDS} from measured where before < $2 order by position"""
_REST_OF_BATCHES = f"""
select {_FIELDS} from outbox
where batch_id = any($1) and position <> all($2) and sent_at is null and parked_at is null"""
_FIX_BATCHES = """
update outbox set batch_id = fixed.batch_id from unnest($1::bigint[], $2::uuid[]) as fixed(position, batch_id)
where outbox.position = fixed.position"""
_SENT = "update outbox set sent_at = now(), next_at = null, last_error = null where position = any($1)"
_FAILED = """
update outbox set attempts = attempts + 1, last_error = $2, next_at = now() + make_interval(secs => $3)
where position = any($1)"""


@dataclass(frozen=True)
class RelayLimits:
    """How much at once, and how patient."""

    rows: int = 500
    stored_bytes: int = 4_000_000
    in_flight: int = 100  # units; an event with a copy for its requester is two publishes
    attempts: int = 10  # then an unroutable command is parked
    first_wait: float = 1.0
    longest_wait: float = 60.0
    measure_seconds: float = 10.0
    tidy_seconds: float = 60.0


async def run_relay(resources: Resources, limits: RelayLimits | None = None) -> None:
    """Publish this service's outbox whenever this process leads; runs until cancelled, then finishes its round."""

    async def work(stop: asyncio.Event) -> None:
        await _take_turns(resources, limits or RelayLimits(), stop)

    await run_until_cancelled(work, grace=resources.settings.shutdown_seconds / 2)


async def _take_turns(resources: Resources, limits: RelayLimits, stop: asyncio.Event) -> None:
    settings, service = resources.settings, resources.service
    publisher = Publisher(settings.amqp_url.get_secret_value(), name=f"{service} relay")
    failures = 0
    try:
        while not stop.is_set():
            lost = asyncio.Event()
            try:
                name = f"lectern {service} relay"
                async with leadership(settings.database_url, application=name, stop=stop, lost=lost) as connection:
                    if connection is None:
                        continue
                    failures = 0
                    relay = Relay(connection, publisher, service, settings.relay_poll_seconds, limits)
                    await relay.lead(stop, lost)
            except DATABASE_ERRORS as error:
                failures += 1
                log.warning("relay_lost_database", error=repr(error))
                await first_of(stop, timeout=backoff(failures))
    finally:
        await publisher.close()


class Relay:
    """The active relay of a service, for as long as its connection holds the lock."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        publisher: Publisher,
        service: str,
        poll_seconds: float,
        limits: RelayLimits,
    ) -> None:
        self._connection, self._publisher, self._service = connection, publisher, service
        self._poll_seconds, self._limits = poll_seconds, limits
        self._width = limits.in_flight
        self._wake = asyncio.Event()
        self._measured = self._tidied = 0.0

    async def lead(self, stop: asyncio.Event, lost: asyncio.Event) -> None:
        """Work until *stop*; leave everything at once when the lock is *lost*: another may lead already."""
        log.info("relay_leads")
        metrics.LEADING.labels(self._service).set(1)
        work = asyncio.ensure_future(self._work(stop))
        loss = asyncio.ensure_future(lost.wait())
        try:
            await asyncio.wait({work, loss}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                await work
        finally:
            metrics.LEADING.labels(self._service).set(0)
            loss.cancel()
            if not work.done():
                # what was in flight must not meet its own id again on this channel
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
                await self._publisher.close()
                log.warning("relay_lost_leadership")

    async def _work(self, stop: asyncio.Event) -> None:
        await self._connection.add_listener(CHANNEL, lambda *_: self._wake.set())
        failures = 0
        while not stop.is_set():
            self._wake.clear()
            await self._keep_house()
            rows = await self._claim()
            if not rows:
                await first_of(self._wake, stop, timeout=self._poll_seconds)
                continue
            try:
                await self._round(rows)
                failures = 0
            except TransportDown as error:
                failures += 1
                log.warning("relay_waits_for_broker", error=str(error), failures=failures)
                await first_of(stop, timeout=backoff(failures, first=0.2, limit=15))

    async def _keep_house(self) -> None:
        now = time.monotonic()
        if now - self._measured >= self._limits.measure_seconds:
            self._measured = now
            await measure(self._connection, self._service)
        if now - self._tidied >= self._limits.tidy_seconds:
            self._tidied = now
            await tidy(self._connection)

    async def _claim(self) -> list[Row]:
        found = await self._connection.fetch(_CLAIM, self._limits.rows, self._limits.stored_bytes)
        batches = {row["batch_id"] for row in found if row["batch_id"]}
        if batches:
            positions = [row["position"] for row in found]
            found += await self._connection.fetch(_REST_OF_BATCHES, list(batches), positions)
            found.sort(key=lambda row: row["position"])
        return [Row(**{**row, "headers": orjson.loads(row["headers"])}) for row in found]

    async def _round(self, rows: Sequence[Row]) -> None:
        """Publish *rows*, wave by wave. Raises `TransportDown` after marking what was confirmed before."""
        units = arrange(rows)
        await self._fix_batches(units)
        held: set[str] = set()
        width, self._width = self._width, self._limits.in_flight
        for wave in range(max(unit.wave for unit in units) + 1):
            ready = [unit for unit in units if unit.wave == wave]
            for start in range(0, len(ready), width):
                chunk = [unit for unit in ready[start : start + width] if not _touches(unit, held)]
                held |= await self._publish(chunk)

    async def _fix_batches(self, units: Sequence[Unit]) -> None:
        new = [unit for unit in units if unit.is_merged and unit.first.batch_id is None]
        if new:
            places = [(position, unit.batch_id) for unit in new for position in unit.positions]
            await self._connection.execute(_FIX_BATCHES, [place[0] for place in places], [place[1] for place in places])

    async def _publish(self, chunk: Sequence[Unit]) -> set[str]:
        """Publish *chunk* at once and note each outcome; the aggregates that must wait now."""
        outcomes = await asyncio.gather(*(self._send(unit) for unit in chunk))
        crash.point("relay.after_confirm")
        sent = [unit for unit, outcome in zip(chunk, outcomes, strict=True) if outcome is None]
        if sent:
            await self._connection.execute(_SENT, [position for unit in sent for position in unit.positions])
            self._count_sent(sent)
        held: set[str] = set()
        down: TransportDown | None = None
        for unit, outcome in zip(chunk, outcomes, strict=True):
            if isinstance(outcome, ChannelRefused) and len(chunk) > 1:
                self._width, down = 1, outcome  # one of them is guilty: the next round asks each alone
            elif isinstance(outcome, Returned | Refused | Unsendable | ChannelRefused):
                await self._note_failure(unit, outcome)
                held |= {row.aggregate for row in unit.rows}
            elif isinstance(outcome, TransportDown):
                down = outcome
                metrics.PUBLISHED.labels(self._service, unit.first.type, "unknown").inc()
        if down is not None:
            raise down
        return held

    async def _send(self, unit: Unit) -> Returned | Refused | Unsendable | TransportDown | None:
        first, *copies = parcels_of(unit, source=self._service)
        try:
            await self._publisher.publish(first)
            for copy in copies:
                try:
                    await self._publisher.publish(copy)
                except (Returned, Refused, Unsendable):
                    # the requester's queue is full or gone; the event itself is out
                    metrics.PUBLISHED.labels(self._service, copy.type, "reply_refused").inc()
        except (Returned, Refused, Unsendable, TransportDown) as failure:
            return failure
        return None

    def _count_sent(self, sent: Sequence[Unit]) -> None:
        now = time.time()
        for unit in sent:
            metrics.PUBLISHED.labels(self._service, unit.first.type, "confirmed").inc()
            if len(unit.rows) > 1:
                metrics.MERGED.labels(self._service, unit.first.type).inc(len(unit.rows) - 1)
            metrics.PUBLISH_SECONDS.labels(self._service).observe(max(0.0, now - unit.first.created_at.timestamp()))

    async def _note_failure(self, unit: Unit, failure: Returned | Refused | Unsendable | TransportDown) -> None:
        row, limits = unit.first, self._limits
        full, hopeless = isinstance(failure, Refused), isinstance(failure, Unsendable)
        outcome = "nacked" if full else "returned" if isinstance(failure, Returned) else "refused"
        metrics.PUBLISHED.labels(self._service, row.type, outcome).inc()
        wait = backoff(row.attempts + 1, first=limits.first_wait, limit=limits.longest_wait)
        # A full queue drains, and an event that nobody may take is the topology's fault: both wait. A command without
        # a queue is given up after some time, in view of an operator; at once what no broker could be sent.
        if not hopeless and (full or row.exchange == EVENTS or row.attempts + 1 < limits.attempts):
            await self._connection.execute(_FAILED, unit.positions, str(failure), wait)
            log.warning(
                "publish_failed", message_type=row.type, message_id=str(row.id), error=str(failure), outcome=outcome
            )
            return
        for one in unit.rows:
            await park_unroutable(self._connection, one, str(failure))
        metrics.UNPUBLISHABLE.labels(self._service, row.type).inc(len(unit.rows))
        log.error("command_unroutable", message_type=row.type, message_id=str(row.id), error=str(failure))


def _touches(unit: Unit, aggregates: set[str]) -> bool:
    return any(row.aggregate in aggregates for row in unit.rows)
