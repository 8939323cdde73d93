"""What an operator relies on: poison is set aside and can be sent again; a request can be followed through the bus."""

import asyncio
import json
import uuid

import aio_pika
import asyncpg
import httpx
import pytest
from api import Client, enroll, import_course, pack
from plain_publisher import commands_for

from common.messaging.envelope import ATTEMPT
from common.testing.system import NotReady
from common.testing.waiting import until


@pytest.fixture
async def course(admin, sample_course) -> str:
    course = f"course-v1:PoisonX+C+{uuid.uuid4().hex[:8]}"
    await import_course(admin, course, pack(sample_course))
    return course


@pytest.fixture
async def enrollment_database(system):
    connection = await asyncpg.connect(system.databases["enrollment"])
    yield connection
    await connection.close()


async def _learners(admin: Client, count: int) -> list[str]:
    stem = uuid.uuid4().hex[:8]
    users = [{"username": f"p{stem}_{n}", "email": f"p{stem}_{n}@example.com"} for n in range(count)]
    assert (await admin.post("/api/accounts/v1/users", json=users)).status_code == 201
    return [user["username"] for user in users]


async def test_one_poison_message_among_a_hundred_is_parked_and_can_be_replayed(
    admin, amqp, course, enrollment_database
):
    database = enrollment_database
    names = await _learners(admin, 100)
    commands = commands_for(names, course, size=1)
    poison = commands[57]
    poison["reason"] = "poison"
    await database.execute(
        "alter table enrollment_history add constraint cause check (reason is distinct from 'poison')"
    )
    try:
        connection = await aio_pika.connect(amqp)
        async with connection:
            channel = await connection.channel(on_return_raises=True)
            exchange = await channel.get_exchange("lectern.commands")
            for command in commands:
                # the poison has used up its tries already; otherwise the retry tiers would take eleven minutes
                headers = {ATTEMPT: 3} if command is poison else {}
                message = aio_pika.Message(json.dumps(command).encode(), headers=headers)
                await exchange.publish(message, routing_key="enrollment.enroll.v1")

        async def done() -> bool:
            count = await database.fetchval(
                "select count(*) from enrollment e join account a using (user_id) where a.username = any($1)", names
            )
            return count == 99

        await until(done, what="99 enrollments")

        async def parked() -> dict | None:
            listed = await admin.json("/api/operations/v1/enrollment/parked")
            for entry in listed["results"]:
                shown = await admin.json(f"/api/operations/v1/enrollment/parked/{entry['id']}")
                if poison["command_id"] in json.dumps(shown):
                    return shown
            return None

        found = await until(parked, what="parked poison")
        assert found["queue"] == "enrollment.commands"
    finally:
        await database.execute("alter table enrollment_history drop constraint cause")
    answer = await admin.post(f"/api/operations/v1/enrollment/parked/{found['id']}/replay", json={"note": "mended"})
    assert answer.status_code < 300, answer.text

    async def enrolled() -> bool:
        return bool(
            await database.fetchval(
                "select 1 from enrollment e join account a using (user_id) where a.username = $1",
                poison["items"][0]["username"],
            )
        )

    await until(enrolled, what="enrollment by the replayed command")
    assert await database.fetchval(
        "select count(*) from enrollment_history h join account a using (user_id) where a.username = any($1)", names
    ) == len(names)


async def test_parked_messages_are_for_global_staff_only(http, admin):
    assert (await http.get("/api/operations/v1/enrollment/parked")).status_code == 401
    answer = await admin.get(f"/api/operations/v1/enrollment/parked/{uuid.uuid4()}")
    assert answer.status_code == 404


async def test_a_request_id_leads_from_the_request_over_the_bus_to_the_effect(system, admin, course):
    name = (await _learners(admin, 1))[0]
    marker = f"trace-{uuid.uuid4().hex}"
    answer = await enroll_with(admin, course, name, marker)
    assert answer.headers["x-request-id"] == marker

    async def in_both() -> bool:
        logs = [system.log(service).read_text() for service in ("gateway", "content")]
        return all(marker in log for log in logs)

    await until(in_both, what="request id in the logs of gateway and content")
    lines = [json.loads(line) for line in system.log("content").read_text().splitlines() if marker in line]
    assert any(line.get("message_type") == "enrollment.enrollments.changed.v1" for line in lines)


async def enroll_with(admin: Client, course: str, name: str, request_id: str):
    body = {"user": name, "course_details": {"course_id": course}}
    return await admin.post("/api/enrollment/v1/enrollment", json=body, headers={"X-Request-ID": request_id})


async def test_every_service_counts_its_requests_and_messages(system, admin, course):
    await enroll(admin, course)
    assert (await admin.get(f"/course/{course}")).status_code == 200
    async with httpx.AsyncClient() as client:
        content = (await client.get(f"{system.service_url('content')}/metrics")).text
        enrollment = (await client.get(f"{system.service_url('enrollment')}/metrics")).text
    assert 'route="/course/' in content
    assert "lectern_http_requests_total" in enrollment
    assert "outbox" in enrollment
    assert "content.import_course.v1" in content
    assert course not in content


async def test_the_system_hears_once_every_queue_has_its_consumer(system):
    system.stop("course-catalog")
    with pytest.raises(NotReady, match=r"course_catalog\.events"):
        await asyncio.to_thread(system.wait_hearing, 0.5)
    system.again("course-catalog")
    await asyncio.to_thread(system.wait_ready)
    await asyncio.to_thread(system.wait_hearing)
