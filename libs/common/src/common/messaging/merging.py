"""Waiting outbox rows become publishes: neighbours of one batchable type travel together, aggregates keep order."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

import orjson

from common.messaging.envelope import (
    CE_ID,
    CE_SEQUENCE,
    CE_SOURCE,
    CE_SPECVERSION,
    CE_SUBJECT,
    CE_TIME,
    CE_TYPE,
    COMMANDS,
    DEFAULT_EXCHANGE,
)
from common.messaging.outbox import MAX_ITEMS
from common.messaging.transport import Parcel

_BATCHES = uuid5(NAMESPACE_URL, "lectern:outbox:batch")


@dataclass(frozen=True, slots=True)
class Row:
    """A waiting outbox row."""

    position: int
    id: UUID
    exchange: str
    routing_key: str
    type: str
    aggregate: str
    version: int
    payload: str | None
    body: bytes | None
    headers: dict[str, object]
    correlation_id: str | None
    reply_to: str | None
    batch_field: str | None
    items: int | None
    batch_id: UUID | None
    created_at: datetime
    attempts: int


@dataclass(slots=True)
class Unit:
    """Rows that are one publish. Units of one wave go out at once; a later wave waits for the earlier."""

    wave: int
    rows: list[Row] = field(default_factory=list)

    @property
    def first(self) -> Row:
        return self.rows[0]

    @property
    def items(self) -> int:
        return sum(row.items or 0 for row in self.rows)

    @property
    def positions(self) -> list[int]:
        return [row.position for row in self.rows]

    @property
    def is_merged(self) -> bool:
        return len(self.rows) > 1 or self.first.batch_id is not None

    @property
    def batch_id(self) -> UUID:
        """Follows from the rows, so the same rows are the same message whoever publishes them."""
        return self.first.batch_id or uuid5(_BATCHES, ",".join(str(row.id) for row in self.rows))

    def takes(self, row: Row) -> bool:
        if self.first.batch_id is not None or row.batch_id is not None:
            return self.first.batch_id == row.batch_id
        return self.items + (row.items or 0) <= MAX_ITEMS


def arrange(rows: Iterable[Row]) -> list[Unit]:
    """Units in the order of their first row; a row joins a unit only when that cannot overtake its own aggregate."""
    units: list[Unit] = []
    latest: dict[str, Unit] = {}
    joinable: dict[tuple[str, str, str, UUID | None], Unit] = {}
    for row in rows:
        key = (row.exchange, row.routing_key, row.type, row.batch_id)
        before = latest.get(row.aggregate)
        unit = joinable.get(key) if row.batch_field and row.items is not None else None
        if unit is None or not unit.takes(row) or not (before is None or before is unit or before.wave < unit.wave):
            unit = Unit(wave=before.wave + 1 if before else 0)
            units.append(unit)
            if row.batch_field and row.items is not None:
                joinable[key] = unit
        unit.rows.append(row)
        latest[row.aggregate] = unit
    return units


def parcels_of(unit: Unit, *, source: str) -> list[Parcel]:
    """The publish of *unit*, and the copy for `reply_to` where an event has one."""
    row = unit.first
    identity = unit.batch_id if unit.is_merged else row.id
    headers = {
        CE_SPECVERSION: "1.0",
        CE_ID: str(identity),
        CE_SOURCE: source,
        CE_TYPE: row.type,
        CE_TIME: row.created_at.isoformat(),
        CE_SUBJECT: row.aggregate,
        CE_SEQUENCE: str(row.version),
        **row.headers,
    }
    asks = row.exchange in (COMMANDS, DEFAULT_EXCHANGE)  # a request, or one replayed
    first = Parcel(
        exchange=row.exchange,
        routing_key=row.routing_key,
        body=_body(unit),
        message_id=str(identity),
        type=row.type,
        headers=headers,
        correlation_id=row.correlation_id,
        reply_to=row.reply_to if asks else None,
        timestamp=row.created_at,
    )
    if asks or row.reply_to is None:
        return [first]
    answer = Parcel(
        exchange=DEFAULT_EXCHANGE,
        routing_key=row.reply_to,
        body=first.body,
        message_id=f"{identity}.reply",
        type=row.type,
        headers=headers,
        correlation_id=row.correlation_id,
        timestamp=row.created_at,
        mandatory=False,  # the requester may be gone
    )
    return [first, answer]


def _body(unit: Unit) -> bytes:
    row = unit.first
    if row.body is not None:
        return row.body
    if len(unit.rows) == 1:
        return (row.payload or "").encode()
    name = row.batch_field or ""
    return orjson.dumps({name: [item for one in unit.rows for item in orjson.loads(one.payload or "{}")[name]]})
