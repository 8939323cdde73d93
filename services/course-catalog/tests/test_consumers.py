"""From the bus into the catalogue and back on the bus, through a real broker."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol
from uuid import uuid4

import aio_pika
import orjson
import pytest

from common.identity import Caller
from common.messaging import apply_topology, run_consumers, run_relay
from common.resources import Resources
from common.testing.identity import a_caller
from common.testing.waiting import until
from course_catalog.consumers import subscriptions
from course_catalog.courses.facts import CourseFacts

MakeCourse = Callable[..., CourseFacts]


class Client(Protocol):
    async def ids(self, url: str = ..., caller: Caller | None = None) -> Sequence[str]: ...


class Broker:
    """What another service would publish and hear."""

    def __init__(self, channel: aio_pika.abc.AbstractChannel, heard: aio_pika.abc.AbstractQueue) -> None:
        self._channel, self._heard = channel, heard

    async def publish(self, message_type: str, body: object) -> None:
        exchange = await self._channel.get_exchange("lectern.events")
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        message = aio_pika.Message(content, message_id=str(uuid4()), type=message_type)
        await exchange.publish(message, message_type, timeout=5)

    async def heard(self) -> dict[str, object]:
        message = await until(lambda: self._heard.get(fail=False), what="announcement")
        await message.ack()
        body: dict[str, object] = orjson.loads(message.body)
        return body


@pytest.fixture
async def broker(resources: Resources) -> AsyncIterator[Broker]:
    """The service's consumers and relay at work; its queues start empty."""
    await apply_topology(resources.settings)
    connection = await aio_pika.connect(resources.settings.amqp_url.get_secret_value())
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        for name in ("course_catalog.events", "course_catalog.parked"):
            await (await channel.get_queue(name)).purge()
        heard = await channel.declare_queue(exclusive=True)
        await heard.bind("lectern.events", "course_catalog.course.changed.v1")
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


def wire(facts: CourseFacts) -> dict[str, object]:
    """The facts as content announces them, with fields that nobody here reads."""
    return facts.model_dump(mode="json") | {"org": "Org", "source": {"repo": "x"}, "draft_guid": None}


async def test_what_content_announces_is_listed_and_announced_again(
    patient_client: Client, broker: Broker, a_course: MakeCourse
) -> None:
    rita, hidden = a_caller("rita"), a_course("Hidden", visible_to_staff_only=True)
    member = {"user_id": rita.user_id, "username": "rita", "role": "staff", "version": 1, "removed": False}
    account = {"user_id": rita.user_id, "username": "rita", "email": "r@example.com", "name": "", "version": 1}
    await broker.publish("accounts.user.changed.v1", {"users": [account]})
    team = {"course_id": hidden.course_id, "version": 1, "members": [member]}
    await broker.publish("content.course_team.changed.v1", team)
    await broker.publish("content.course.created.v1", wire(hidden))
    await broker.publish("content.course.published.v1", wire(a_course("Open", version=2)))

    async def listed() -> bool:
        mine = await patient_client.ids(
            "/api/courses/v1/courses/?page_size=100&username=rita", a_caller("greta", staff=True)
        )
        return [key.split("+")[1] for key in mine] == ["Hidden", "Open"]

    await until(listed)
    announced: set[tuple[object, object]] = set()
    while len(announced) < 2:
        courses = (await broker.heard())["courses"]
        assert isinstance(courses, list)
        announced |= {(course["course_id"], course["content_version"]) for course in courses}
    assert announced == {("course-v1:Org+Hidden+1", 1), ("course-v1:Org+Open+1", 2)}
    await broker.publish("content.course.deleted.v1", {"course_id": "course-v1:Org+Open+1", "version": 3})
    gone = (await broker.heard())["courses"]
    assert isinstance(gone, list)
    assert [(course["course_id"], course["deleted"]) for course in gone] == [("course-v1:Org+Open+1", True)]
    assert await patient_client.ids() == []


async def test_a_message_nobody_can_read_is_parked_and_its_neighbours_are_done(
    resources: Resources, client: Client, broker: Broker, a_course: MakeCourse
) -> None:
    for number in range(10):
        await broker.publish("content.course.published.v1", wire(a_course(f"C{number}")))
        if number == 5:
            await broker.publish("content.course.published.v1", {"course_id": "nonsense", "version": 1})

    async def all_done() -> bool:
        return len(await client.ids()) == 10

    async def one_parked() -> bool:
        return bool(await resources.pool.fetchval("select count(*) = 1 from parked_message"))

    await until(all_done)
    await until(one_parked)
