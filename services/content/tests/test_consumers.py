"""From the bus into content and back on the bus, through a real broker."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator

import aio_pika
import orjson
import pytest

from common.blobs import asset_key
from common.messaging import apply_topology, run_consumers, run_relay
from common.testing.identity import a_caller
from common.testing.waiting import until
from content.consumers import subscriptions

COURSE = "course-v1:Org+Demo+1"
QUEUES = ("content.events", "content.events.bulk", "content.commands", "content.imports", "content.parked")


class Broker:
    """What another service would publish and hear."""

    def __init__(self, channel: aio_pika.abc.AbstractChannel, heard: aio_pika.abc.AbstractQueue) -> None:
        self.channel, self._heard = channel, heard

    async def publish(self, exchange: str, message_type: str, body: object, *, key: str | None = None, **more) -> None:
        target = await self.channel.get_exchange(exchange)
        message = aio_pika.Message(orjson.dumps(body), message_id=str(uuid.uuid4()), type=message_type, **more)
        await target.publish(message, key or message_type, timeout=5)

    async def hear(self, message_type: str) -> aio_pika.abc.AbstractIncomingMessage:
        """The next message of this type; others before it are dropped."""
        while True:
            message = await until(lambda: self._heard.get(fail=False), what=message_type)
            await message.ack()
            if message.type == message_type:
                return message


@pytest.fixture
async def broker(resources) -> AsyncIterator[Broker]:
    """The service's consumers and relay at work; its queues start empty."""
    await apply_topology(resources.settings)
    connection = await aio_pika.connect(resources.settings.amqp_url.get_secret_value())
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        for name in QUEUES:
            await (await channel.get_queue(name)).purge()
        heard = await channel.declare_queue(exclusive=True)
        for key in ("content.#",):
            await heard.bind("lectern.events", key)
        await heard.bind("lectern.commands", "enrollment.enroll.v1")
        roles = [
            asyncio.create_task(run_consumers(resources, subscriptions(resources))),
            asyncio.create_task(run_relay(resources)),
        ]
        yield Broker(channel, heard)
        for role in roles:
            role.cancel()
        for role in roles:
            with contextlib.suppress(asyncio.CancelledError):
                await role


@pytest.fixture
async def command(bus, a_draft) -> dict:
    draft = a_draft()
    for digest, data in draft.bytes_of.items():
        await bus.resources.blobs.put_bytes(asset_key(digest), data)
    await bus.resources.blobs.put_bytes("snapshots/bus", orjson.dumps(draft.document()))
    return {
        "command_id": str(uuid.uuid4()),
        "issued_at": "2026-01-01T00:00:00Z",
        "expires_at": "2999-01-01T00:00:00Z",
        "requested_by": {"user_id": 7, "username": "robot", "is_staff": False, "creator_grants": ["Org"]},
        "course_id": COURSE,
        "spelling": COURSE,
        "snapshot": "snapshots/bus",
        "archive_digest": "ab" * 32,
        "dry_run": False,
        "publish": True,
        "expected_head": None,
        "source": {"repo": "r", "sha": "s", "message": "m"},
        "may_create": True,
    }


async def test_an_import_by_command_is_answered_and_announced_and_the_same_again_is_answered_the_same(
    bus, broker, command
):
    await broker.publish("lectern.commands", "content.import_course.v1", command)
    assert orjson.loads((await broker.hear("content.course.created.v1")).body)["version"] == 1
    answer = await broker.hear("content.command.completed.v1")
    assert answer.correlation_id == command["command_id"]
    said = orjson.loads(answer.body)
    assert (said["outcome"], said["command"], said["version"]) == ("done", "content.import_course.v1", 2)
    await broker.publish("lectern.commands", "content.import_course.v1", command)
    again = await broker.hear("content.command.completed.v1")
    assert orjson.loads(again.body) == said
    assert await bus.resources.pool.fetchval("select count(*) from version") == 2


async def test_a_snapshot_by_command_goes_to_whom_it_may_concern(bus, broker, command):
    await broker.publish("lectern.commands", "content.import_course.v1", command)
    await broker.hear("content.command.completed.v1")
    replies = await broker.channel.declare_queue(exclusive=True)
    asked = {
        "command_id": str(uuid.uuid4()),
        "requested_by": command["requested_by"],
        "course_id": COURSE,
        "branch": None,
        "version": None,
        "if_not_version": None,
        "expires_at": "2999-01-01T00:00:00Z",
    }
    await broker.publish("lectern.commands", "content.snapshot_course.v1", asked, reply_to=replies.name)
    reply = await until(lambda: replies.get(fail=False), what="reply")
    await reply.ack()
    said = orjson.loads(reply.body)
    assert said["command_id"] == asked["command_id"]
    document = orjson.loads(await bus.resources.blobs.get_bytes(said["snapshot"]))
    assert document["course_id"] == COURSE


async def test_enrollments_and_accounts_open_a_course(bus, broker, client, demo):
    learners = [a_caller(f"learner{number}") for number in range(3)]
    users = [
        {
            "user_id": learner.user_id, "username": learner.username, "email": "", "name": "", "is_active": True,
            "is_staff": False, "country": None, "version": 1,
        }
        for learner in learners
    ]  # fmt: skip
    await broker.publish("lectern.events", "accounts.user.changed.v1", {"users": users})
    for learner, key in zip(learners, ("", ".bulk", ""), strict=True):
        change = {
            "user_id": learner.user_id, "username": learner.username, "course_id": COURSE, "mode": "audit",
            "is_active": True, "version": 1, "changed_at": "2026-01-01T00:00:00Z",
        }  # fmt: skip
        name = "enrollment.enrollments.changed.v1"
        await broker.publish("lectern.events", name, {"changes": [change]}, key=name + key)

    async def all_read() -> bool:
        url = "/api/courses/v1/blocks/?course_id=course-v1:Org%2BDemo%2B1&username="
        return all([(await client.get(url + str(one.username), one)).status_code == 200 for one in learners])

    await until(all_read)


async def test_a_role_by_command(bus, broker, demo):
    await bus.account(a_caller("bob"))
    for username, outcome, code in (("bob", "done", None), ("ghost", "rejected", "unknown_user")):
        asked = {"command_id": str(uuid.uuid4()), "course_id": COURSE, "username": username, "role": "staff"}
        await broker.publish("lectern.commands", "content.set_course_role.v1", asked)
        while True:
            said = orjson.loads((await broker.hear("content.command.completed.v1")).body)
            if said["command_id"] == asked["command_id"]:
                break
        assert (said["outcome"], said["code"]) == (outcome, code)


async def test_what_cannot_be_read_is_parked_and_its_neighbours_are_done(bus, broker, resources):
    for number in range(10):
        user = {
            "user_id": number, "username": f"u{number}", "email": "", "name": "", "is_active": True, "is_staff": False,
            "version": 1,
        }  # fmt: skip
        await broker.publish("lectern.events", "accounts.user.changed.v1", {"users": [user]})
        if number == 5:
            await broker.publish("lectern.events", "accounts.user.changed.v1", {"users": [{"user_id": "x"}]})

    async def done() -> bool:
        accounts = await resources.pool.fetchval("select count(*) from account")
        parked = await resources.pool.fetchval("select count(*) from parked_message")
        return (accounts, parked) == (10, 1)

    await until(done)
