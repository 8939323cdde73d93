"""Real processes killed where database and broker disagree: every change has its effect, and has it once."""

import asyncio
import json
import signal

import pytest
from sample import EVENTS, Item, ItemsChanged

LEDGER = "select count(*) from applied"


async def record_changes(bus, count: int) -> None:
    for number in range(count):
        await bus.send(
            ItemsChanged(items=[Item(id=str(number), version=1)]), aggregate=str(number), correlation_id="alone"
        )


async def killed(process) -> None:
    assert await asyncio.wait_for(process.wait(), 15) == -signal.SIGKILL


async def test_a_relay_killed_between_confirm_and_mark_publishes_again_as_the_same_message(bus, start_process):
    await bus.send(ItemsChanged(items=[Item(id="a", version=1)]), correlation_id="alone")
    await bus.send(ItemsChanged(items=[Item(id="b", version=1)]), aggregate="a", correlation_id="alone")
    await killed(await start_process("relay", crash_at="relay.after_confirm:2"))
    bus.relay()
    await bus.reaches("select count(*) from outbox where sent_at is null", 0)
    messages = [await bus.take(EVENTS) for _ in range(await bus.waiting(EVENTS))]
    ids = [message.headers["cloudEvents_id"] for message in messages]
    assert len(ids) == 3
    assert len(set(ids)) == 2
    assert {json.loads(message.body)["items"][0]["id"] for message in messages} == {"a", "b"}


@pytest.mark.parametrize("point", ["consumer.before_commit", "consumer.after_commit:2"])
async def test_a_consumer_killed_around_its_commit_loses_and_repeats_nothing(bus, start_process, point):
    await record_changes(bus, 12)
    relay = bus.relay()
    await bus.reaches("select count(*) from outbox where sent_at is null", 0)
    await bus.stop(relay)
    await killed(await start_process("consume", crash_at=point))
    assert await bus.value(LEDGER) == {"consumer.before_commit": 0, "consumer.after_commit:2": 10}[point]
    bus.consume()
    await bus.reaches("select count(distinct id) from applied", 12)
    assert await bus.value(LEDGER) == 12


async def test_processes_killed_at_random_moments_under_traffic_leave_an_exact_ledger(bus, start_process):
    total = 60
    victims = await asyncio.gather(start_process("relay"), start_process("consume"), start_process("consume"))
    sending = asyncio.create_task(record_changes(bus, total))
    for process in victims:
        await asyncio.sleep(0.15)
        process.kill()
    await asyncio.gather(sending, *(process.wait() for process in victims))
    bus.relay()
    bus.consume()
    await bus.reaches("select count(distinct id) from applied", total)
    assert await bus.value(LEDGER) == total
