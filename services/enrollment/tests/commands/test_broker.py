"""The whole service on a real broker: what a publisher sees who knows only the contract."""

import asyncio
import contextlib
import itertools
import uuid
from datetime import UTC, datetime, timedelta

import aio_pika
import asyncpg
import orjson
import pytest

from common.messaging import apply_topology, run_consumers, run_relay
from common.testing.waiting import until
from enrollment.app import SERVICE

OPEN, NEW = "course-v1:Org+Open+1", "course-v1:Org+New+1"
COMPLETED = "enrollment.command.completed.v1"


@pytest.fixture
async def broker(resources, amqp_url, db):
    """The service's consumer and relay running, and a foreign connection with a queue of its own for answers."""
    await apply_topology(resources.settings)
    connection = await aio_pika.connect(amqp_url)
    channel = await connection.channel()
    for name in ("enrollment.events", "enrollment.commands", "enrollment.parked"):
        with contextlib.suppress(aio_pika.exceptions.AMQPError):
            await (await channel.get_queue(name)).purge()
    work = [
        asyncio.create_task(run_relay(resources)),
        asyncio.create_task(run_consumers(resources, SERVICE.subscriptions(resources))),
        *(asyncio.create_task(job()) for job in SERVICE.background(resources)),
    ]
    yield Foreigner(channel, await channel.declare_queue(exclusive=True))
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    await connection.close()


class Foreigner:
    """Plain aio-pika and the contract."""

    def __init__(self, channel, answers):
        self.channel, self.queue = channel, answers

    async def publish(self, exchange, key, body, **properties):
        target = await self.channel.get_exchange(exchange)
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        await target.publish(aio_pika.Message(content, **properties), routing_key=key, timeout=5)

    async def command(self, body, kind="enroll", **properties):
        await self.publish("lectern.commands", f"enrollment.{kind}.v1", body, **properties)

    async def listen(self):
        await self.queue.bind("lectern.events", COMPLETED)

    async def answers(self, count):
        found = []

        async def enough():
            while message := await self.queue.get(fail=False, no_ack=True):
                found.append((message.correlation_id, orjson.loads(message.body)))
            return len(found) >= count

        await until(enough, timeout=15, what=f"{count} answers")
        return found


def command(*names, course=OPEN, **fields):
    items = [{"username": name, "course_id": course} for name in names]
    return {"command_id": str(uuid.uuid4()), "requested_by": "importer", "items": items, **fields}


async def test_published_twice_nothing_changes_twice_and_the_answer_is_sent_again(world, broker):
    names = [f"learner{number}" for number in range(60)]
    await world.account(*names)
    await world.course(OPEN)
    await broker.listen()
    commands = [command(*names[start : start + 20]) for start in range(0, 60, 20)]
    for turn in (1, 2):
        for body in commands:
            # a foreign publisher may give both the same message id
            await broker.command(body, message_id=body["command_id"])
        answers = await broker.answers(3)
        assert {correlation for correlation, _ in answers} == {body["command_id"] for body in commands}
        for _, answer in answers:
            assert [result["outcome"] for result in answer["results"]] == ["enrolled"] * 20
        assert await world.db.fetchval("select count(*) from enrollment_history") == 60, f"after turn {turn}"
    assert await world.db.fetchval("select count(*) from command") == 3


async def test_the_answer_also_goes_where_the_command_says(world, broker):
    await world.account("alice")
    await world.course(OPEN)
    body = command("alice")
    await broker.command(body, reply_to=broker.queue.name)
    [(correlation, answer)] = await broker.answers(1)
    assert correlation == answer["command_id"] == body["command_id"]


async def test_an_id_too_long_for_an_answer_stops_nobody(world, broker):
    await world.account("alice")
    await world.course(OPEN)
    await broker.listen()
    answered = ["x" * 255, "\u00e9" * 127, str(uuid.uuid4())]
    for number in ("x" * 256, "\u00e9" * 128, "\U0001f600" * 255, *answered):
        await broker.command(command("alice", command_id=number))
    answers = await broker.answers(3)
    assert {(correlation, answer["command_id"]) for correlation, answer in answers} == {(one, one) for one in answered}

    async def parked():
        return await world.db.fetchval("select count(*) = 3 from parked_message")

    await until(parked, what="three parked messages")


async def test_bad_commands_are_answered_and_good_neighbours_done(world, broker):
    await world.account("alice")
    await world.course(OPEN)
    await broker.listen()
    many = command(*["alice"] * 501)
    late = command("alice", expires_at=(datetime.now(UTC) - timedelta(minutes=1)).isoformat())
    bad = {**command("alice"), "items": 7}
    good = command("alice")
    for body in (many, b"no json at all", late, bad, b'{"items": []}', good):
        await broker.command(body)
    found = {answer["command_id"]: answer for _, answer in await broker.answers(4)}
    assert {body["command_id"]: found[body["command_id"]].get("code") for body in (many, late, bad, good)} == {
        many["command_id"]: "too_many_items",
        late["command_id"]: "expired",
        bad["command_id"]: "malformed",
        good["command_id"]: None,
    }
    assert found[many["command_id"]]["results"] == []

    async def parked():
        return await world.db.fetchval("select count(*) = 2 from parked_message")

    await until(parked, what="two parked messages")
    assert len(await world.history()) == 1


async def test_the_path_from_facts_to_a_deferred_commands_answer(world, broker):
    """A command for a learner and a course that become known only a moment later."""
    versions = itertools.count(1)
    await broker.listen()
    body = command("zoe", course=NEW)
    await broker.command(body)

    async def deferred():
        return await world.db.fetchval("select count(*) = 1 from command where answer is null")

    await until(deferred, what="a deferred command")
    user = {
        "user_id": 77,
        "username": "zoe",
        "email": "z@example.com",
        "name": "Zoe",
        "is_active": True,
        "is_staff": False,
    }
    users = {"users": [{**user, "country": None, "version": next(versions)}]}
    await broker.publish("lectern.events", "accounts.user.changed.v1", users)
    course = {"course_id": NEW, "spelling": NEW, "version": 1, "deleted": False, "display_name": "New", "org": "Org"}
    modes = [{"slug": "audit", "name": "Audit", "min_price": 0, "currency": "usd", "suggested_prices": ""}]
    heard = {"courses": [{**course, "pacing": "self", "modes": modes}]}
    await broker.publish("lectern.events", "course_catalog.course.changed.v1", heard)
    [(_, answer)] = await broker.answers(1)
    assert [result["outcome"] for result in answer["results"]] == ["enrolled"]


async def test_after_an_hour_of_silence_the_database_may_be_gone_for_a_moment(world, broker, postgres_url, resources):
    """The service's connections are cut: the next command is carried out all the same."""
    await world.account("alice")
    await world.course(OPEN)
    await broker.listen()
    name = resources.settings.database_url.get_secret_value().rpartition("/")[2]
    admin = await asyncpg.connect(postgres_url)
    await admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = $1 and application_name like 'lectern%'",
        name,
    )
    await admin.close()
    await broker.command(command("alice"))
    [(_, answer)] = await broker.answers(1)
    assert answer["results"][0]["outcome"] == "enrolled"
