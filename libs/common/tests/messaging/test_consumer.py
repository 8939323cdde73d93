"""Messages become effects: once, in batches, poison apart, whatever the broker and the database do meanwhile."""

import asyncio
import json
from uuid import UUID, uuid4

import pytest
import structlog
from sample import BULK, COMMANDS, EVENTS, PARKED, DoIt, Item, ItemsChanged, NoteAdded, apply_items, items_subscription
from sqlalchemy import text

from common.messaging import Permanent, Subscription, outbox, record
from common.messaging.parking.operations import replay
from common.telemetry import request_id
from common.testing.waiting import until

APPLIED = "select count(*) from applied"


def body(name: str = "x", version: int = 1, *, item: str = "a") -> bytes:
    return ItemsChanged(items=[Item(id=item, version=version, name=name)]).model_dump_json().encode()


def cloud(identity: object, kind: str = ItemsChanged.type) -> dict[str, object]:
    return {"cloudEvents_id": str(identity), "cloudEvents_type": kind}


async def publish_items(bus, count: int, *, times: int = 1) -> list[UUID]:
    ids = [uuid4() for _ in range(count)]
    sending = [
        bus.publish(body(item=str(number)), key=ItemsChanged.type, headers=cloud(identity))
        for _ in range(times)
        for number, identity in enumerate(ids)
    ]
    await asyncio.gather(*sending)
    return ids


async def test_from_commit_to_effect_through_relay_and_queue(bus):
    bus.relay()
    bus.consume()
    await bus.send(ItemsChanged(items=[Item(id="a", version=3, name="new")]))
    await bus.reaches("select name from item where id = 'a' and version = 3", "new")
    assert await bus.value("select count(*) from inbox") == 1


async def test_three_copies_of_each_message_at_four_consumers_have_one_effect(bus):
    for _ in range(4):
        bus.consume(items_subscription(batch=7))
    ids = await publish_items(bus, 60, times=3)
    await bus.reaches("select count(*) from item", 60)
    await bus.reaches("select count(*) from inbox", len(ids))
    await asyncio.sleep(0.2)  # a late second effect would show now
    assert await bus.value("select max(n) from (select count(*) as n from applied group by message) each") == 1


async def test_one_poison_message_among_a_hundred_harms_no_neighbour_and_can_be_replayed(bus, sick):
    names = ["poison" if number == 57 else "good" for number in range(100)]
    await asyncio.gather(*(bus.publish(body(name, item=str(n)), key=ItemsChanged.type) for n, name in enumerate(names)))
    bus.consume()
    await bus.reaches("select count(*) from parked_message where state = 'parked'", 1)
    await bus.reaches("select count(*) from item", 99)
    parked = await bus.database.fetchrow("select * from parked_message")
    assert (parked["queue"], parked["reason"], parked["attempts"]) == (EVENTS, "permanent", 1)
    assert "poison" in parked["error"]
    assert await bus.value("select count(*) from inbox where message_id = $1", parked["message_id"]) == 0

    sick(False)
    bus.relay()
    async with bus.resources.sessions.begin() as session:
        await replay(session, parked["id"], actor="op")
    await bus.reaches("select count(*) from item", 100)
    assert await bus.value("select count(*) from inbox where message_id = $1", parked["message_id"]) == 1


async def test_poison_replayed_too_early_is_parked_again_in_the_same_row(bus, sick):
    await bus.publish(body("poison"), key=ItemsChanged.type, headers=cloud(uuid4()))
    bus.consume()
    bus.relay()
    await bus.reaches("select count(*) from parked_message where state = 'parked'", 1)
    async with bus.resources.sessions.begin() as session:
        await replay(session, await bus.value("select id from parked_message"), actor="op")
    await bus.reaches("select state || times_parked from parked_message", "parked2")


@pytest.mark.parametrize(
    ("content", "properties", "reason"),
    [
        (b"{not json", {"headers": cloud("0199aaaa-0000-7000-8000-000000000001")}, "malformed"),
        (b"\xff\xfe", {"headers": cloud("0199aaaa-0000-7000-8000-000000000002")}, "malformed"),
        (b'{"items": [{"id": 1}]}', {}, "malformed"),
        (b"{}", {"headers": {"cloudEvents_id": ""}}, "malformed"),
        (b"{}", {"headers": {"cloudEvents_id": 7}}, "malformed"),
        (b"{}", {"type": "sample.items.changed.v2"}, "malformed"),
    ],
)
async def test_what_cannot_be_read_is_parked_with_its_bytes(bus, content, properties, reason):
    bus.consume()
    await bus.publish(content, key=ItemsChanged.type, **properties)
    await bus.reaches("select reason from parked_message", reason)
    assert await bus.value("select body from parked_message") == content
    await bus.publish(body("after"), key=ItemsChanged.type)
    await bus.reaches("select name from item", "after")


async def test_a_message_without_any_type_is_parked(bus):
    bus.consume()
    await bus.publish(b"{}", key=EVENTS, exchange="")
    await bus.reaches("select reason from parked_message", "malformed")


async def test_an_unknown_type_is_acknowledged_and_counted(bus):
    bus.consume()
    await bus.send(NoteAdded(note="for others"))
    bus.relay()
    await bus.publish(body("after"), key=ItemsChanged.type)
    await bus.reaches("select name from item", "after")
    assert await bus.value("select count(*) from parked_message") == 0
    assert await bus.waiting(EVENTS) == 0


async def test_strangers_messages_are_never_taken_for_each_other(bus):
    """No id, the same body, even the same AMQP message id: each is a message of its own."""
    bus.consume()
    for properties in ({}, {}, {"message_id": "1"}, {"message_id": "1"}):
        await bus.publish(body(), key=ItemsChanged.type, **properties)
    await bus.reaches(APPLIED, 4)


async def test_a_foreign_cloud_event_is_known_by_source_and_id(bus):
    bus.consume()
    for source in ("one", "two", "one"):
        await bus.publish(body(), key=ItemsChanged.type, headers={"cloudEvents_id": "7", "cloudEvents_source": source})
    await bus.reaches(APPLIED, 2)
    await bus.reaches("select count(*) from inbox", 2)


async def test_a_handler_that_knows_repeats_itself_sees_them(bus):
    seen = []

    async def answer(_, messages):
        seen.extend(message.id for message in messages)

    bus.consume(Subscription(queue=COMMANDS, handlers={DoIt.type: answer}, repeats=True))
    same = uuid4()
    for _ in range(3):
        await bus.publish(b"{}", key=DoIt.type, exchange="lectern.commands", headers=cloud(same, DoIt.type))
    await bus.reaches("select count(*) from inbox", 1)

    async def thrice() -> bool:
        return len(seen) == 3

    await until(thrice, what="third answer")
    assert set(seen) == {same}


async def test_an_unknown_failure_waits_in_the_tiers_and_succeeds_as_the_same_message(bus):
    attempts = []

    async def flaky(session, messages):
        attempts.append([(message.attempt, message.id, message.user_id) for message in messages])
        if len(attempts) < 3:
            raise KeyError("not yet")
        await apply_items(session, messages)

    bus.consume(Subscription(queue=EVENTS, handlers={ItemsChanged.type: flaky}))
    await bus.publish(body(), key=ItemsChanged.type)
    await bus.reaches(APPLIED, 1)
    assert [[attempt for attempt, *_ in batch] for batch in attempts] == [[0], [1], [2]]
    assert len({identity for batch in attempts for _, identity, _ in batch}) == 1
    assert await bus.value("select count(*) from parked_message") == 0


async def test_what_fails_in_every_tier_is_parked(bus):
    async def broken(_, messages):
        raise KeyError("never")

    bus.consume(Subscription(queue=EVENTS, handlers={ItemsChanged.type: broken}))
    await bus.publish(body(), key=ItemsChanged.type)
    await bus.reaches("select reason || attempts from parked_message", "exhausted3")
    assert await bus.value("select queue from parked_message") == EVENTS


async def test_a_deadlock_is_tried_again_at_once(bus):
    tries = []

    async def contended(session, messages):
        tries.append(len(messages))
        if len(tries) == 1:
            await session.execute(text("do $$ begin raise sqlstate '40P01'; end $$"))
        await apply_items(session, messages)

    await publish_items(bus, 5)
    bus.consume(Subscription(queue=EVENTS, handlers={ItemsChanged.type: contended}))
    await bus.reaches(APPLIED, 5)
    assert tries[0] == tries[1]
    assert await bus.waiting(PARKED) == 0


async def test_a_lost_database_parks_nothing(bus):
    bus.consume()
    await publish_items(bus, 1)
    await bus.reaches(APPLIED, 1)
    for _ in range(5):
        await bus.value(
            """select count(pg_terminate_backend(pid)) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()"""
        )
        await publish_items(bus, 5)
    await bus.reaches(APPLIED, 26)
    assert await bus.value("select count(*) from parked_message") == 0


async def test_connections_cut_in_mid_traffic_lose_and_repeat_no_effect(bus):
    bus.relay()
    bus.consume(items_subscription(batch=10))
    for number in range(40):
        items = [Item(id=f"{number}.{part}", version=1) for part in range(5)]
        await bus.send(*(ItemsChanged(items=[item]) for item in items), aggregate=str(number), correlation_id="alone")
        if number in (10, 25):
            bus.proxy.cut()
    await bus.reaches("select count(distinct id) from applied", 200, timeout=20)
    assert await bus.value(APPLIED) == 200


async def test_a_deleted_queue_comes_back_with_its_bindings(bus):
    bus.consume()
    await publish_items(bus, 1)
    await bus.reaches(APPLIED, 1)
    await bus.channel.queue_delete(EVENTS)
    while True:
        try:
            await publish_items(bus, 1)
            await bus.reaches("select count(*) > 1 from applied", True, timeout=0.5)
            break
        except AssertionError:
            continue


async def test_the_watchdog_rebuilds_a_consumer_whose_link_went_silent(bus):
    bus.consume(watch_seconds=0.2)
    await publish_items(bus, 1)
    await bus.reaches(APPLIED, 1)
    bus.proxy.swallow_once()
    await publish_items(bus, 3)
    await bus.reaches(APPLIED, 4, timeout=20)


async def test_out_of_order_messages_leave_the_newest_state(bus):
    for version in (2, 5, 1, 4, 3):
        await bus.publish(body(f"v{version}", version), key=ItemsChanged.type)
    bus.consume(items_subscription(batch=2))
    await bus.reaches(APPLIED, 5)
    assert await bus.value("select name from item") == "v5"


async def test_a_bulk_change_has_a_queue_of_its_own(bus):
    await bus.publish(body(), key=f"{ItemsChanged.type}.bulk")
    bus.consume(items_subscription(), items_subscription(BULK))
    await bus.reaches(APPLIED, 1)


async def test_readers_are_notified_and_a_request_id_reaches_the_next_message(bus):
    async def pass_on(session, messages):
        record(session, NoteAdded(note="heard"), aggregate="n", version=1)

    woken = asyncio.Event()
    await bus.database.add_listener("facts", lambda *_: woken.set())
    bus.consume(Subscription(queue=EVENTS, handlers={ItemsChanged.type: pass_on}))
    with structlog.testing.capture_logs() as logs:
        await bus.publish(body(), key=ItemsChanged.type, headers={"request_id": "request-9"})
        await asyncio.wait_for(woken.wait(), 5)
        await bus.reaches("select headers->>'request_id' from outbox", "request-9")
        await bus.stop()
    lines = [line for line in logs if line["event"] == "consumed"]
    assert [line["request_id"] for line in lines] == ["request-9"]
    assert lines[0]["message_type"] == ItemsChanged.type
    assert request_id.get() is None


async def test_a_stopping_consumer_settles_what_it_holds_and_leaves_the_rest(bus):
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(session, messages):
        entered.set()
        await go_on.wait()
        await apply_items(session, messages)

    await publish_items(bus, 30)
    consumer = bus.consume(Subscription(queue=EVENTS, handlers={ItemsChanged.type: slow}, batch=10))
    await entered.wait()
    consumer.cancel()
    await asyncio.sleep(0.05)
    go_on.set()
    await asyncio.gather(consumer, return_exceptions=True)
    done = await bus.value(APPLIED)
    assert 0 < done < 30
    bus.consume()
    await bus.reaches(APPLIED, 30)


async def test_a_message_that_kills_its_consumers_ends_in_the_parking_lot(bus):
    """More deliveries lost with their process than the queue's limit allows."""
    await bus.publish(body("deadly"), key=ItemsChanged.type, headers=cloud(uuid4()))
    for _ in range(5):
        message = await (await bus.channel.get_queue(EVENTS)).get(fail=False)
        if message is None:
            break
        await message.reject(requeue=True)
    bus.consume()
    await bus.reaches("select reason || ' ' || queue from parked_message", f"delivery_limit {EVENTS}")
    assert json.loads(await bus.value("select convert_from(body, 'utf8') from parked_message"))["items"]


async def test_a_constant_statement_can_write_the_outbox(bus):
    await bus.database.execute(
        f"{outbox.INSERT} values ($1, 'lectern.events', $2, $2, 'a', 1, $3::jsonb, '{{}}', null, null, 'items', 1)",
        outbox.new_id(),
        ItemsChanged.type,
        body().decode(),
    )
    bus.relay()
    bus.consume()
    await bus.reaches(APPLIED, 1)


async def test_a_permanent_failure_is_not_tried_again(bus):
    tries = []

    async def refuses(_, messages):
        tries.append(messages)
        raise Permanent("no")

    bus.consume(Subscription(queue=EVENTS, handlers={ItemsChanged.type: refuses}))
    await bus.publish(body(), key=ItemsChanged.type)
    await bus.reaches("select reason from parked_message", "permanent")
    assert len(tries) == 1
