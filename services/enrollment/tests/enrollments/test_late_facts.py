"""No refusal from a first miss: a fact that is heard a moment later still decides."""

import asyncio
import time

import pytest

from common.facts import NOTIFY
from common.testing.identity import a_caller

OPEN, CLOSED = "course-v1:Org+Open+1", "course-v1:Org+Closed+1"
ALICE, STAFF = a_caller("alice"), a_caller("root", staff=True)


async def later(world, fact):
    await asyncio.sleep(0.1)
    await fact
    await world.db.execute(NOTIFY)


@pytest.mark.parametrize("missing", ["user", "course", "mode", "team"])
async def test_what_was_unknown_at_first_is_waited_for(patient_client, world, missing):
    course = CLOSED if missing == "team" else OPEN
    fields = {"enrollment_end": "2020-01-01T00:00:00Z"} if missing == "team" else {}
    facts = {
        "user": lambda: world.account("alice"),
        "course": lambda: world.course(course, **fields),
        "mode": lambda: world.course(course, modes=[{"slug": "honor", "name": "H"}]),
        "team": lambda: world.team(course, "alice"),
    }
    if missing != "user":
        await facts["user"]()
    if missing == "mode":
        await world.course(course, modes=[{"slug": "audit", "name": "A"}])
    elif missing != "course":
        await facts["course"]()
    mode = "honor" if missing == "mode" else "audit"
    answer, _ = await asyncio.gather(patient_client.enroll(ALICE, course, mode=mode), later(world, facts[missing]()))
    assert answer.status_code == 200, answer.text
    assert (await world.state("alice", course)) == (mode, True)


async def test_course_details_are_waited_for_too(patient_client, world):
    answer, _ = await asyncio.gather(patient_client.send("GET", f"course/{OPEN}"), later(world, world.course(OPEN)))
    assert answer.status_code == 200


async def test_what_stays_unknown_is_refused_after_half_a_second(patient_client, world):
    await world.account("alice")
    started = time.monotonic()
    answer = await patient_client.enroll(ALICE, OPEN)
    assert answer.status_code == 400
    assert 0.45 < time.monotonic() - started < 1.5


async def test_refusals_that_no_fact_can_turn_round_are_given_at_once(patient_client, world):
    await world.account("alice")
    await world.course(OPEN, max_enrollments=0)
    started = time.monotonic()
    for fields in ({"mode": "verified"}, {"is_active": "x"}, {}):
        assert (await patient_client.enroll(ALICE, OPEN, **fields)).status_code in (400, 403)
    assert time.monotonic() - started < 0.4
