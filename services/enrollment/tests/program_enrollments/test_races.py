"""Thirty-two callers at the same keys: one row, right answers, no error, no deadlock."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest

from common.testing.identity import a_caller
from enrollment.program_enrollments.linking import realise_links
from enrollment.program_enrollments.operations import Author
from enrollment.programs.operations import store_links
from enrollment.programs.schemas import LinkHeard
from enrollment.transactions import in_transaction

CURRICULUM = "00000000-1111-2222-3333-444444444444"
STAFF = a_caller("registrar", staff=True)
BASE = "/api/program_enrollments/v1/programs"
COURSES = ("course-v1:Org+Open+1", "course-v1:Org+Second+1")
CALLERS = 32


@pytest.fixture
async def programs(world):
    for course in COURSES:
        await world.course(course, max_enrollments=5)
    return [await world.program(number, *COURSES) for number in (1, 2)]


def enrollments(program):
    return f"{BASE}/{program}/enrollments/"


async def test_one_caller_creates_a_key_and_the_others_conflict(client, programs, db):
    body = [{"student_key": "k", "status": "enrolled", "curriculum_uuid": CURRICULUM}]
    answers = await asyncio.gather(
        *(client.send("POST", enrollments(programs[0]), STAFF, json=body) for _ in range(CALLERS))
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 422: CALLERS - 1}
    assert Counter(answer.json()["k"] for answer in answers) == {"enrolled": 1, "conflict": CALLERS - 1}
    assert await db.fetchval("select count(*) from program_enrollment") == 1
    assert await db.fetchval("select count(*) from program_history") == 1


async def test_keys_in_any_order_in_two_programs_and_their_courses_while_they_are_linked(
    client, programs, world, db, resources
):
    keys = [f"k{number}" for number in range(20)]
    await world.account(*(f"learner{number}" for number in range(20)))
    for program in programs:
        body = [{"student_key": key, "status": "enrolled", "curriculum_uuid": CURRICULUM} for key in keys]
        assert (await client.send("POST", enrollments(program), STAFF, json=body)).status_code == 201

    async def write(number):
        mine = keys if number % 2 else keys[::-1]
        url = f"{BASE}/{programs[number % 2]}/courses/{COURSES[number // 2 % 2]}/enrollments/"
        body = [{"student_key": key, "status": "active"} for key in mine]
        return await client.send("PUT", url, STAFF, json=body)

    async def link(number):
        heard = LinkHeard(
            id=number, user_id=10_000_000 + number, organization="Org", external_key=f"K{number}", version=1
        )

        async def work(connection):
            found = await store_links(connection, [heard])
            await realise_links(connection, found, author=Author(None, "link"), now=datetime.now(UTC))

        await in_transaction(resources, work)

    answers, _ = await asyncio.gather(
        asyncio.gather(*(write(number) for number in range(CALLERS))),
        asyncio.gather(*(link(number) for number in range(20))),
    )
    assert {answer.status_code for answer in answers} <= {200, 207, 422}
    for answer in answers:
        assert set(answer.json().values()) <= {"active", "conflict"}
    # each key is active in each course through exactly one program, and its learner is enrolled there once
    active = await db.fetch(
        "select e.folded, c.course_n, count(*) from program_course_enrollment c join program_enrollment e"
        " on e.id = c.program_enrollment_id where c.status = 'active' group by 1, 2"
    )
    assert len(active) == 40
    assert {row["count"] for row in active} == {1}
    assert await db.fetchval("select count(*) from enrollment where is_active and mode = 'masters'") == 40
    for course in COURSES:
        assert await world.taken(course) == 20
    assert await db.fetchval("select count(*) from program_enrollment where user_id is null") == 0
