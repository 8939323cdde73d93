"""A key's whole way: written while nobody has it, linked at the gateway, heard on the bus, seen by its learner."""

import json
import uuid

import aio_pika
import pytest
from api import Client, new_user

from common.testing.waiting import until

BASE = "/api/program_enrollments/v1"


@pytest.fixture
async def courses(admin: Client) -> list[str]:
    made = []
    for number in ("One", "Two"):
        body = {"org": "ProgX", "number": number, "run": uuid.uuid4().hex[:8], "display_name": f"Course {number}"}
        answer = await admin.post("/course", json=body)
        assert answer.status_code == 200, answer.text
        made.append(answer.json()["course_key"])
    return made


@pytest.fixture
async def program(admin: Client, courses: list[str]) -> dict:
    body = {
        "title": "Learning by Program",
        "type": "Masters",
        "marketing_slug": f"masters-{uuid.uuid4().hex[:8]}",
        "authoring_organizations": [{"key": "ProgX"}],
        "courses": [{"title": "A course", "course_runs": [{"key": key}]} for key in courses],
        "curricula": [{"name": "The only one", "is_active": True}],
    }
    answer = await admin.post("/api/programs/v1/programs/", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def write(admin: Client, path: str, records: list[dict], status: int) -> None:
    """Written as soon as enrollment has heard of the program and of the course."""

    async def written() -> bool:
        answer = await admin.post(path, json=records)
        assert answer.status_code in {status, 404}, answer.text
        return answer.status_code == status

    await until(written, what=f"POST {path}")


async def test_a_waiting_key_becomes_its_learners_when_it_is_linked(admin, amqp, program, courses):
    key, curriculum = f"S-{uuid.uuid4().hex[:8]}", program["curricula"][0]["uuid"]
    place = f"{BASE}/programs/{program['uuid']}"
    enrollment = {"student_key": key, "status": "enrolled", "curriculum_uuid": curriculum}
    await write(admin, f"{place}/enrollments/", [enrollment], 201)
    for course, status in zip(courses, ("active", "inactive"), strict=True):
        record = [{"student_key": key, "status": status}]
        await write(admin, f"{place}/courses/{course}/enrollments/", record, 200)
    [waiting] = (await admin.json(f"{place}/enrollments/"))["results"]
    assert waiting == {**enrollment, "account_exists": False}

    learner = await new_user(admin, f"prog_{uuid.uuid4().hex[:8]}")
    assert (await learner.get(f"{place}/overview/")).status_code == 403
    assert await learner.json("/api/enrollment/v1/enrollment") == []

    connection = await aio_pika.connect(amqp)
    async with connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange("lectern.events")
        queue = await channel.declare_queue(exclusive=True)
        for routing_key in ("accounts.external_id.linked.v1", "enrollment.enrollments.changed.v1.#"):
            await queue.bind(exchange, routing_key)
        body = {"username": learner.username, "organization": "ProgX", "external_key": key.lower()}
        answer = await admin.post("/api/accounts/v1/external_ids", json=body)
        assert answer.status_code == 201, answer.text

        heard: list[tuple[str, dict]] = []

        async def both_heard() -> bool:
            while (message := await queue.get(fail=False, no_ack=True)) is not None:
                said = json.loads(message.body)
                heard.extend(("link", link) for link in said.get("links", ()) if link["external_key"] == key.lower())
                heard.extend(("change", one) for one in said.get("changes", ()) if one["username"] == learner.username)
            return len(heard) == 3

        await until(both_heard, what="the link and two changes on the bus")
    assert [what for what, _ in heard] == ["link", "change", "change"]
    changes = {change["course_id"]: (change["mode"], change["is_active"]) for what, change in heard if what == "change"}
    assert changes == {courses[0]: ("masters", True), courses[1]: ("masters", False)}

    page = await admin.json(f"{place}/enrollments/?fields=username")
    assert page["results"] == [{**enrollment, "account_exists": True, "username": learner.username}]
    assert await learner.json(f"{BASE}/programs/enrollments/") == [
        {"uuid": program["uuid"], "slug": program["marketing_slug"]}
    ]
    [mine] = await learner.json("/api/enrollment/v1/enrollment")
    assert (mine["course_details"]["course_id"], mine["mode"], mine["user"]) == (
        courses[0],
        "masters",
        learner.username,
    )
    assert (await learner.json(f"/api/enrollment/v1/enrollment/{courses[1]}"))["is_active"] is False
    [run] = (await learner.json(f"{place}/overview/"))["course_runs"]
    assert (run["course_run_id"], run["display_name"]) == (courses[0], "Course One")
    own = await learner.json(f"{BASE}/users/{learner.username}/programs/{program['uuid']}/courses")
    assert own == {"next": None, "previous": None, "results": [run]}
