"""Whatever a stranger puts around a message: it is parked with what can be kept of it, and the queue goes on."""

import struct
from datetime import UTC, datetime
from decimal import Decimal

import pamqp.encode
from sample import EVENTS, PARKED, Item, ItemsChanged, apply_items

from common.messaging import Subscription


def body(name: str) -> bytes:
    return ItemsChanged(items=[Item(id=name, version=1, name=name)]).model_dump_json().encode()


def nested(levels: int) -> dict[str, object]:
    table: dict[str, object] = {"a": 1}
    for _ in range(levels):
        table = {"a": table, "b": [table]} if levels < 10 else {"a": table}
    return table


HEADERS = (
    {"x-attempt": -100},
    {"x-attempt": 2**62},
    {"x-attempt": True},
    {"x-attempt": "x"},
    {"x-first-failed-at": "0001-01-01T00:00:00+23:59"},
    {"x-first-failed-at": "9999-12-31T23:59:59-23:59"},
    {"x-first-failed-at": "x\0"},
    {"x-origin-queue": "\0", "x-reason": "\0", "x-error": "\0", "x-fingerprint": "\0"},
    {"cloudEvents_id": "", "cloudEvents_type": "x" * 300},
    {"cloudEvents_id": "\0", "cloudEvents_source": "\0", "cloudEvents_time": "0001-01-01T00:00:00+23:59"},
    {"cloudEvents_type": f"sample.items.changed.v{'9' * 5000}"},
    {"a number that is read as another": Decimal(-1)},
    {"none": None, "big": 2**63 - 1, "list": [[], {}, None]},
    {"then": datetime.max.replace(tzinfo=UTC)},
    nested(3),
    nested(280),
    {"request_id": "\0", "traceparent": "00-\0"},
)
PROPERTIES = (
    ("correlation_id", b"\xc8" + b"\xff" * 200),
    ("reply_to", b"\x02\xc3\x28"),
    ("message_id", b"\x01\xff"),
    ("type", b"\x01\xff"),
    ("timestamp", struct.pack(">Q", 2**63 - 1)),
    ("timestamp", struct.pack(">Q", 2**64 - 1)),
)
BODIES = (
    b"[" * 100_000,
    b'{"a":' * 1000 + b"1" + b"}" * 1000,
    b'{"items":' + b"[" * 300 + b"]" * 300 + b"}",
    b'{"items":[{"id":"a","version":' + b"9" * 5000 + b"}]}",
    b'{"items":[{"id":"a","version":1e400}]}',
    b'{"items":[{"id":"a","version":NaN}]}',
    b'{"items":[{"id":"\\ud800","version":1}]}',
    b'{"items":[{"id":"a\\u0000","version":1}]}',
    b'{"items":[{"id":"a","version":9223372036854775808}]}',
    b"\xef\xbb\xbf{}",
    b"null",
    b"",
)


async def fail_for_bad(session, messages):
    """Fails as a handler with a mistake does: worth trying again, as far as anybody can tell."""
    for message in messages:
        if b'"bad' in message.body:
            raise KeyError("bad")
    await apply_items(session, messages)


async def publish_raw(bus, monkeypatch, content, name, raw):
    """Publish with these bytes for the property, as no client of Python would write them."""
    kind, stand_in = (
        ("timestamp", datetime(2026, 1, 1, tzinfo=UTC)) if name == "timestamp" else ("shortstr", "stand-in")
    )
    usual = pamqp.encode.METHODS[kind]

    def encode(value):
        return raw if value == stand_in else usual(value)

    with monkeypatch.context() as patched:
        patched.setitem(pamqp.encode.METHODS, kind, encode)
        await bus.publish(content, key=ItemsChanged.type, **{name: stand_in})


async def expect_parked(bus, consuming, contents):
    """All of them, and a good message after them has its effect."""
    await bus.publish(body("after"), key=ItemsChanged.type)
    await bus.reaches("select name from item", "after")
    await bus.reaches("select count(distinct body) from parked_message", len(contents))
    assert {row["body"] for row in await bus.database.fetch("select body from parked_message")} == set(contents)
    assert not consuming.done()
    assert await bus.waiting(PARKED) == 0


async def test_no_header_stops_a_queue(bus):
    consuming = bus.consume(Subscription(queue=EVENTS, handlers={ItemsChanged.type: fail_for_bad}))
    contents = [body(f"bad {number}") for number in range(len(HEADERS))]
    for content, headers in zip(contents, HEADERS, strict=True):
        await bus.publish(content, key=ItemsChanged.type, headers=headers)
    await expect_parked(bus, consuming, contents)


async def test_no_property_stops_a_queue(bus, monkeypatch):
    consuming = bus.consume(Subscription(queue=EVENTS, handlers={ItemsChanged.type: fail_for_bad}))
    contents = [body(f"bad {number}") for number in range(len(PROPERTIES))]
    for content, (name, raw) in zip(contents, PROPERTIES, strict=True):
        await publish_raw(bus, monkeypatch, content, name, raw)
    await expect_parked(bus, consuming, contents)


async def test_no_body_stops_a_queue(bus):
    consuming = bus.consume()
    for content in BODIES:
        await bus.publish(content, key=ItemsChanged.type)
    await expect_parked(bus, consuming, BODIES)
