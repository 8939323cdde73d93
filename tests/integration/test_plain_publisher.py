"""Thousands of enrollments by commands of a publisher that has nothing of ours: no call, no limit, an outcome each."""

import uuid
from collections import Counter

import pytest
from api import Client
from plain_publisher import commands_for, publish

from common.testing.waiting import until


@pytest.mark.parametrize(
    ("learners", "courses"),
    [(500, 4), pytest.param(2000, 50, marks=[pytest.mark.torture, pytest.mark.timeout(900)])],
    ids=["2000", "100000"],
)
async def test_every_pair_is_enrolled_once_and_told_so(admin: Client, amqp, learners: int, courses: int):
    stem = uuid.uuid4().hex[:6]
    names = [f"m{stem}_{number}" for number in range(learners)]
    users = [{"username": name, "email": f"{name}@example.com"} for name in names]
    assert (await admin.post("/api/accounts/v1/users", json=users)).status_code == 201
    keys = []
    for number in range(courses):
        body = {"org": "PlainX", "number": f"P{number}", "run": stem, "display_name": "Plain"}
        answer = await admin.post("/course", json=body)
        assert answer.status_code == 200, answer.text
        keys.append(answer.json()["course_key"])

    async def known() -> bool:
        return (await admin.get(f"/api/enrollment/v1/course/{keys[-1]}")).status_code == 200

    await until(known, timeout=60, what="the last course")
    commands = [command for key in keys for command in commands_for(names, key)]
    answers = {answer["command_id"]: answer for answer in await publish(amqp, commands, seconds=600)}
    outcomes = Counter(result["outcome"] for answer in answers.values() for result in answer["results"])
    assert outcomes == {"enrolled": learners * courses}
    for command in commands:
        refs = [result["ref"] for result in answers[command["command_id"]]["results"]]
        assert refs == [item["ref"] for item in command["items"]]
    for key in keys:
        counts = await admin.json(f"/api/enrollment/v1/reports/courses/{key}")
        # the creator of a course is enrolled by content's command
        assert counts["active"] in {learners, learners + 1}
    again = await publish(amqp, commands[:1])
    assert again == [answers[commands[0]["command_id"]]]
