"""Commands under fire: duplicated, reordered, late, with service and broker killed; each item has one right end."""

import asyncio
import random
import uuid
from dataclasses import dataclass

import asyncpg
import pytest
from api import Client
from storm import Storm

from common.testing.waiting import until

_STATES = """
select a.username, c.key, e.is_active, e.version,
  (select count(*) from enrollment_history h where h.user_id = e.user_id and h.course_n = e.course_n) as history
from enrollment e join account a using (user_id) join course c on c.n = e.course_n where c.key = any($1)"""
_EFFECTS = "select count(*) from enrollment where course_key = any($1) and is_active"


@dataclass(frozen=True)
class Scale:
    users: int
    courses: int
    size: int
    kills: int
    seconds: int


SMALL = Scale(users=60, courses=2, size=10, kills=2, seconds=90)
FULL = Scale(users=2000, courses=50, size=250, kills=20, seconds=1500)


@pytest.mark.parametrize(
    "scale",
    [SMALL, pytest.param(FULL, marks=[pytest.mark.torture, pytest.mark.timeout(2000)])],
    ids=["small", "100000"],
)
async def test_every_item_has_one_right_end_and_equal_answers(system, admin: Client, scale: Scale):
    stem = uuid.uuid4().hex[:6]
    names = [f"s{stem}_{number}" for number in range(scale.users)]
    users = [{"username": name, "email": f"{name}@example.com"} for name in names]
    assert (await admin.post("/api/accounts/v1/users", json=users)).status_code == 201
    courses = []
    for number in range(scale.courses):
        body = {"org": "StormX", "number": f"S{number}", "run": stem, "display_name": "Storm"}
        answer = await admin.post("/course", json=body)
        assert answer.status_code == 200, answer.text
        courses.append(answer.json()["course_key"])
    enrollment = await asyncpg.connect(system.databases["enrollment"])
    content = await asyncpg.connect(system.databases["content"])
    try:
        await until(lambda: _known(enrollment, names, courses), timeout=60, what="facts")
        storm = Storm(random.Random(20260606))
        for course in courses:
            for start in range(0, len(names), scale.size):
                storm.add(names[start : start + scale.size], course)
        traffic = asyncio.create_task(storm.run(system.broker.url))
        for number in range(scale.kills):
            await asyncio.sleep(storm.chance.uniform(0.3, 1.5))
            if number % 5 == 1:
                await asyncio.to_thread(system.broker.kill)
                await asyncio.to_thread(system.broker.restart)
            else:
                system.kill("enrollment")
                system.again("enrollment")
        await asyncio.to_thread(system.wait_ready)
        await asyncio.wait_for(traffic, scale.seconds)
        rows = await enrollment.fetch(_STATES, courses)
        # the creator of a course is enrolled too, by content's command
        states = {(row["username"], row["key"]): row["is_active"] for row in rows if row["username"] in set(names)}
        assert storm.complaints(states) == []
        assert storm.sent > len(storm.commands)
        assert [dict(row) for row in rows if row["version"] != row["history"]] == []
        active = sum(row["is_active"] for row in rows)
        await until(lambda: _effects(content, courses, active), timeout=60, what="content's copies")
    finally:
        await enrollment.close()
        await content.close()


async def _known(enrollment: asyncpg.Connection, names: list[str], courses: list[str]) -> bool:
    users = await enrollment.fetchval("select count(*) from account where username = any($1)", names)
    keys = await enrollment.fetchval("select count(*) from course where key = any($1)", courses)
    return (users, keys) == (len(names), len(courses))


async def _effects(content: asyncpg.Connection, courses: list[str], count: int) -> bool:
    return await content.fetchval(_EFFECTS, courses) == count
