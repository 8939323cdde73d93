"""The outbox reaches the broker: routed, in order, merged, held back or parked, whoever leads."""

import json
import time

import pytest
from sample import BULK, COMMANDS, EVENTS, DoIt, Item, ItemsChanged, Nobody, NoteAdded, Unheard

from common.messaging import record
from common.messaging.transport import broker_user
from common.telemetry import request_id, traceparent

PENDING = "select count(*) from outbox where sent_at is null and parked_at is null"


def changed(name: str, version: int, *, item: str = "a") -> ItemsChanged:
    return ItemsChanged(items=[Item(id=item, version=version, name=name)])


async def test_a_committed_event_arrives_with_its_identity_and_context(bus):
    tokens = (request_id.set("request-1"), traceparent.set("00-" + "a" * 32 + "-" + "b" * 16 + "-01"))
    await bus.send(changed("first", 1), aggregate="item:a")
    request_id.reset(tokens[0]), traceparent.reset(tokens[1])
    bus.relay()
    message = await bus.take(EVENTS)
    row = await bus.database.fetchrow("select * from outbox")
    assert json.loads(message.body) == {"items": [{"id": "a", "version": 1, "name": "first"}]}
    assert message.message_id == str(row["id"]) == message.headers["cloudEvents_id"]
    assert message.headers["cloudEvents_type"] == message.type == "sample.items.changed.v1"
    assert message.headers["cloudEvents_source"] == "sample"
    assert message.headers["cloudEvents_subject"] == "item:a"
    assert message.headers["cloudEvents_specversion"] == "1.0"
    assert message.headers["request_id"] == "request-1"
    assert message.headers["traceparent"].startswith("00-aaaa")
    await bus.reaches(PENDING, 0)


async def test_a_change_rolled_back_announces_nothing(bus):
    async def fails() -> None:
        async with bus.resources.sessions.begin() as session:
            record(session, changed("never", 1), aggregate="a", version=1)
            await session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    bus.relay()
    await bus.send(NoteAdded(note="later"))
    assert (await bus.take(EVENTS)).type == NoteAdded.type
    assert await bus.value("select count(*) from outbox") == 1


async def test_notify_makes_the_relay_publish_within_milliseconds(bus):
    bus.relay()
    await bus.send(NoteAdded(note="warm"))
    await bus.take(EVENTS)
    delays = []
    for _ in range(20):
        await bus.send(NoteAdded(note="x"))
        started = time.perf_counter()
        await bus.reaches(PENDING, 0)
        delays.append(time.perf_counter() - started)
    assert sorted(delays)[10] < 0.1  # far below the polling interval


async def test_an_event_nobody_hears_stops_nothing(bus):
    await bus.send(Unheard(note="?"), NoteAdded(note="!"))
    bus.relay()
    assert (await bus.take(EVENTS)).type == NoteAdded.type
    await bus.reaches(PENDING, 0)


async def test_an_unroutable_command_is_parked_after_some_attempts_and_can_be_released(bus):
    await bus.send(Nobody(what="?"), aggregate="lost")
    await bus.send(DoIt(what="!"), aggregate="found")
    bus.relay()
    assert (await bus.take(COMMANDS)).type == DoIt.type
    await bus.reaches("select reason from parked_message", "unroutable")
    row = await bus.database.fetchrow(
        "select attempts, parked_at, sent_at, last_error from outbox where aggregate = 'lost'"
    )
    assert row["attempts"] == 3
    assert row["parked_at"] is not None
    assert row["sent_at"] is None
    assert "no queue" in row["last_error"]


async def test_what_no_broker_could_be_sent_is_parked_at_once_and_stops_nothing(bus):
    async with bus.resources.sessions.begin() as session:
        record(session, NoteAdded(note="?"), aggregate="a", version=1, correlation_id="\u00e9" * 200)
        record(session, NoteAdded(note="!"), aggregate="b", version=1)
    bus.relay()
    assert json.loads((await bus.take(EVENTS)).body)["note"] == "!"
    await bus.reaches("select reason from parked_message", "unroutable")
    await bus.reaches(PENDING, 0)


async def test_a_failing_row_holds_back_its_own_aggregate_only(bus):
    await bus.send(Nobody(what="first"), aggregate="stuck")
    await bus.send(NoteAdded(note="second"), aggregate="stuck")
    await bus.send(NoteAdded(note="free"), aggregate="other")
    bus.relay(attempts=1000)
    assert json.loads((await bus.take(EVENTS)).body)["note"] == "free"
    await bus.reaches("select count(*) from outbox where attempts > 2", 1)
    assert await bus.value("select sent_at from outbox where payload->>'note' = 'second'") is None
    await bus.database.execute("update outbox set routing_key = 'sample.do_it.v1' where type = 'sample.nobody.v1'")
    assert json.loads((await bus.take(EVENTS)).body)["note"] == "second"


async def test_one_aggregate_keeps_its_order(bus):
    for number in range(60):
        await bus.send(NoteAdded(note=f"{number % 3}:{number}"), aggregate=f"a{number % 3}", version=number)
    bus.relay()
    seen: dict[str, list[int]] = {}
    for _ in range(60):
        aggregate, number = json.loads((await bus.take(EVENTS)).body)["note"].split(":")
        seen.setdefault(aggregate, []).append(int(number))
    assert all(numbers == sorted(numbers) for numbers in seen.values())


async def test_waiting_rows_of_a_batchable_type_travel_together(bus):
    await bus.send(*(changed("x", 1, item=str(number)) for number in range(1200)))
    await bus.send(changed("bulk", 1), routing_key="sample.items.changed.v1.bulk")
    bus.relay(rows=2000)
    sizes = [len(json.loads((await bus.take(EVENTS)).body)["items"]) for _ in range(3)]
    assert sizes == [500, 500, 200]
    assert len(json.loads((await bus.take(BULK)).body)["items"]) == 1
    await bus.reaches(PENDING, 0)


async def test_merged_rows_stay_merged_when_they_are_published_again(bus):
    await bus.send(changed("x", 1, item="a"), changed("x", 1, item="b"))
    relay = bus.relay()
    first = await bus.take(EVENTS)
    await bus.reaches(PENDING, 0)
    await bus.stop(relay)
    # as after a crash between confirm and mark, with a newer neighbour waiting
    await bus.database.execute("update outbox set sent_at = null")
    await bus.send(changed("x", 1, item="c"))
    bus.relay()
    again, newer = await bus.take(EVENTS), await bus.take(EVENTS)
    assert again.headers["cloudEvents_id"] == first.headers["cloudEvents_id"]
    assert again.body == first.body
    assert newer.headers["cloudEvents_id"] != first.headers["cloudEvents_id"]


async def test_an_answer_goes_to_the_requester_and_to_everyone(bus):
    inbox = await bus.channel.declare_queue(exclusive=True)
    await bus.send(NoteAdded(note="done"), correlation_id="c-1", reply_to=inbox.name)
    await bus.send(NoteAdded(note="gone"), correlation_id="c-2", reply_to="a-queue-that-is-not")
    bus.relay()
    copy = await bus.take(inbox.name)
    heard = await bus.take(EVENTS)
    assert copy.correlation_id == heard.correlation_id == "c-1"
    assert copy.headers["cloudEvents_id"] == heard.headers["cloudEvents_id"]
    assert (await bus.take(EVENTS)).correlation_id == "c-2"
    await bus.reaches(PENDING, 0)


async def test_a_command_carries_its_return_address(bus):
    await bus.send(DoIt(what="x"), correlation_id="c-1", reply_to="answers")
    bus.relay()
    message = await bus.take(COMMANDS)
    user = broker_user(bus.settings.amqp_url.get_secret_value())
    assert (message.correlation_id, message.reply_to, message.user_id) == ("c-1", "answers", user)


async def test_a_missing_exchange_holds_back_the_row_that_names_it_and_no_other(bus):
    await bus.send(NoteAdded(note="ok"), aggregate="a")
    await bus.send(NoteAdded(note="nowhere"), aggregate="b")
    await bus.send(NoteAdded(note="ok too"), aggregate="c")
    await bus.database.execute("update outbox set exchange = 'sample.no_such' where aggregate = 'b'")
    bus.relay(attempts=2)
    await bus.reaches("select count(*) from outbox where sent_at is not null", 2)
    await bus.reaches("select count(*) from outbox where parked_at is not null", 1)


async def test_of_three_relays_one_works_and_the_next_takes_over(bus):
    relays = [bus.relay() for _ in range(3)]
    await bus.send(NoteAdded(note="1"))
    await bus.take(EVENTS)
    holders = """from pg_locks where locktype = 'advisory' and granted
        and database = (select oid from pg_database where datname = current_database())"""
    leading = f"select count(distinct pid) {holders}"
    assert await bus.value(leading) == 1
    for number in range(3):
        await bus.value(f"select pg_terminate_backend(pid) {holders}")  # in the middle of a round or not
        started = time.monotonic()
        await bus.send(NoteAdded(note=str(number)))
        await bus.take(EVENTS)
        assert time.monotonic() - started < 5
        await bus.reaches(leading, 1)
    assert [relay.exception() for relay in relays if relay.done()] == []


async def test_connections_cut_in_mid_traffic_lose_nothing(bus):
    bus.relay()
    for number in range(300):
        await bus.send(changed("x", number), aggregate=str(number), correlation_id="one by one")
        if number in (50, 150):
            bus.proxy.cut()
    await bus.reaches(PENDING, 0)
    ready = await bus.waiting(EVENTS)
    found = {json.loads((await bus.take(EVENTS)).body)["items"][0]["version"] for _ in range(ready)}
    assert found == set(range(300))


async def test_a_stopping_relay_finishes_its_round(bus):
    await bus.send(*(NoteAdded(note=str(number)) for number in range(50)))
    relay = bus.relay()
    await bus.reaches("select count(*) > 0 from outbox where sent_at is not null", True)
    await bus.stop(relay)
    sent = await bus.value("select count(*) from outbox where sent_at is not null")
    assert await bus.waiting(EVENTS) == sent


async def test_sent_rows_leave_after_three_days_and_unsent_ones_never(bus):
    await bus.send(*(NoteAdded(note=str(number)) for number in range(5)))
    await bus.database.execute(
        """update outbox set created_at = now() - interval '4 days',
        sent_at = case when payload->>'note' in ('1', '3') then now() - interval '4 days' end"""
    )
    await bus.database.execute(
        """insert into inbox values ('old', gen_random_uuid(), now() - interval '31 days'),
        ('new', gen_random_uuid(), now())"""
    )
    relay = bus.relay()
    await bus.reaches("select count(*) from inbox", 1)
    await bus.stop(relay)
    assert await bus.value("select count(*) from outbox") == 3
