"""Many requests at the same moment: one row, one history line, one event, and no seat too many."""

import asyncio
import itertools
from collections import Counter

from common.testing.identity import a_caller

OPEN, FEW = "course-v1:Org+Open+1", "course-v1:Org+Few+1"


async def test_the_same_learner_32_times_at_once(client, world):
    await world.account("alice")
    await world.course(OPEN)
    answers = await asyncio.gather(*(client.enroll(a_caller("alice")) for _ in range(32)))
    assert Counter(answer.status_code for answer in answers) == {200: 32}
    assert len({answer.content for answer in answers}) == 1
    assert len(await world.history()) == 1
    [event] = await world.announced()
    assert event["changes"][0]["version"] == 1


async def test_the_same_learner_at_once_in_a_course_with_seats(client, world):
    await world.account("alice")
    await world.course(FEW, max_enrollments=5)
    answers = await asyncio.gather(*(client.enroll(a_caller("alice"), FEW) for _ in range(16)))
    assert Counter(answer.status_code for answer in answers) == {200: 16}
    assert await world.taken(FEW) == 1


async def test_the_last_seat_has_one_taker(client, world):
    names = [f"u{number}" for number in range(10)]
    callers = [a_caller(name, user_id=7000 + place) for place, name in enumerate(names)]
    for caller in callers:
        await world.account(caller.username, user_id=caller.user_id)
    await world.course(FEW, max_enrollments=1)
    answers = await asyncio.gather(*(client.enroll(caller, FEW) for caller in callers))
    assert Counter(answer.json().get("error_code") for answer in answers) == {None: 1, "course_full": 9}
    assert await world.taken(FEW) == 1


async def test_five_seats_for_twenty_learners_who_ask_three_times_each(client, world):
    callers = [a_caller(f"u{number}", user_id=7000 + number) for number in range(20)]
    for caller in callers:
        await world.account(caller.username, user_id=caller.user_id)
    await world.course(FEW, max_enrollments=5)
    answers = await asyncio.gather(*(client.enroll(caller, FEW) for caller in callers for _ in range(3)))
    assert {answer.status_code for answer in answers} <= {200, 400}
    assert {answer.json()["error_code"] for answer in answers if answer.status_code == 400} == {"course_full"}
    active = await world.db.fetchval("select count(*) from enrollment where is_active")
    assert (active, await world.taken(FEW), len(await world.history()), len(await world.announced())) == (5, 5, 5, 5)


async def test_opposite_changes_of_one_enrollment_end_in_one_of_them(client, world):
    await world.account("alice")
    await world.course(FEW, max_enrollments=5)
    staff = a_caller("root", staff=True)
    await client.enroll(a_caller("alice"), FEW)
    wishes = [{"is_active": bool(turn % 2)} for turn in range(20)]
    answers = await asyncio.gather(*(client.enroll(staff, FEW, user="alice", **wish) for wish in wishes))
    assert {answer.status_code for answer in answers} == {200}
    _, active = await world.state("alice", FEW)
    assert await world.taken(FEW) == int(active)
    rows = await world.history()
    assert [row["version"] for row in rows] == list(range(1, len(rows) + 1))
    assert all(before["is_active"] != after["is_active"] for before, after in itertools.pairwise(rows))
