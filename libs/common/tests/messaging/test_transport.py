"""Facts about the client that everything else leans on, tried on the live broker."""

import asyncio

import aio_pika
import pytest
from aio_pika.exceptions import PublishError
from sample import COMMANDS, DoIt, Item, ItemsChanged

from common.messaging.transport import ChannelRefused, Parcel, Publisher, Refused, Returned, TransportDown, Unsendable


@pytest.fixture
async def publisher(bus):
    one = Publisher(bus.settings.amqp_url.get_secret_value(), name="test", timeout=1)
    yield one
    await one.close()


def parcel(number: int = 0, **changes: object) -> Parcel:
    values: dict[str, object] = {
        "exchange": "lectern.commands",
        "routing_key": DoIt.type,
        "body": b"{}",
        "message_id": f"test-{number}",
        "type": DoIt.type,
        **changes,
    }
    return Parcel(**values)  # type: ignore[arg-type]


async def test_a_returned_message_raises(publisher):
    with pytest.raises(Returned):
        await publisher.publish(parcel(routing_key="nobody"))


async def test_returned_and_confirmed_are_not_mixed_up_among_messages_in_flight(bus, publisher):
    """The client matches returns by message id: unique ids give every publish its own answer."""

    async def outcome(number: int) -> bool:
        try:
            await publisher.publish(parcel(number, routing_key=DoIt.type if number % 3 else "nobody"))
        except Returned:
            return False
        return True

    answers = await asyncio.gather(*(outcome(number) for number in range(200)))
    assert answers == [bool(number % 3) for number in range(200)]
    assert await bus.waiting(COMMANDS) == sum(answers)


async def test_one_id_twice_in_flight_would_mix_them_up(bus):
    """Why ids are unique in flight. When this fails, the client has learnt to tell them apart."""
    async with bus.channel._connection.channel(on_return_raises=True) as channel:
        target = await channel.get_exchange("lectern.commands", ensure=False)
        same = [aio_pika.Message(b"{}", message_id="same") for _ in range(3)]
        answers = await asyncio.gather(
            *(target.publish(message, "nobody", timeout=5) for message in same), return_exceptions=True
        )
    assert sum(isinstance(answer, PublishError) for answer in answers) < 3


async def test_a_full_queue_refuses(bus, publisher):
    queue = await bus.channel.declare_queue(
        "sample.tiny",
        durable=True,
        arguments={"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish"},
    )
    refused = 0
    for number in range(20):
        try:
            await publisher.publish(parcel(number, exchange="", routing_key=queue.name))
        except Refused:
            refused += 1
    await bus.channel.queue_delete(queue.name)
    assert refused > 0


@pytest.mark.parametrize(
    "changes", [{"correlation_id": "\u00e9" * 128}, {"reply_to": "x" * 256}, {"routing_key": "x" * 256}]
)
async def test_what_does_not_fit_the_wire_is_told_and_harms_no_other(publisher, changes):
    async def outcome(number: int) -> str:
        try:
            await publisher.publish(parcel(number, **(changes if number == 3 else {})))
        except Unsendable:
            return "unsendable"
        return "confirmed"

    answers = await asyncio.gather(*(outcome(number) for number in range(6)))
    assert answers == ["confirmed"] * 3 + ["unsendable"] + ["confirmed"] * 2


async def test_a_publish_to_a_missing_exchange_is_told_from_a_lost_connection(publisher):
    with pytest.raises(ChannelRefused):
        await publisher.publish(parcel(exchange="sample.no_such"))
    await publisher.publish(parcel())


async def test_a_silent_broker_times_out_and_a_refusing_one_fails_fast(bus, publisher):
    await publisher.publish(parcel(1))
    bus.proxy.swallow_once()
    with pytest.raises(TransportDown):
        await publisher.publish(parcel(2))
    await publisher.publish(parcel(3))
    bus.proxy.refusing = True
    bus.proxy.cut()
    await asyncio.sleep(0)
    with pytest.raises(TransportDown):
        await publisher.publish(parcel(4))
    bus.proxy.refusing = False
    await publisher.publish(parcel(5))


async def test_a_full_command_queue_keeps_the_command_in_the_outbox(bus):
    """Back-pressure: refused is not lost and not parked."""
    queue = await bus.channel.declare_queue(
        "sample.tiny",
        durable=True,
        arguments={"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "reject-publish"},
    )
    try:
        for number in range(6):
            await bus.send(
                ItemsChanged(items=[Item(id="a", version=number)]), aggregate=str(number), correlation_id="x"
            )
        await bus.database.execute("update outbox set exchange = '', routing_key = 'sample.tiny'")
        bus.relay(attempts=1, in_flight=1)
        await bus.reaches("select count(*) > 0 from outbox where last_error like '%Nack%' and sent_at is null", True)
        for _ in range(6):
            await bus.take("sample.tiny")
        await bus.reaches("select count(*) from outbox where sent_at is null or parked_at is not null", 0)
    finally:
        await bus.stop()
        await bus.channel.queue_delete(queue.name)
