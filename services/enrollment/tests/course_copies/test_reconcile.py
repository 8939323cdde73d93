"""Seats against the rows: what is wrong is told and put right, what is right is left alone."""

import pytest

from enrollment.course_copies.reconcile import reconcile

FEW, OPEN = "course-v1:Org+Few+1", "course-v1:Org+Open+1"


@pytest.fixture
async def courses(world):
    await world.account("alice", "bob", "carol")
    await world.course(FEW, max_enrollments=5)
    await world.course(OPEN)
    for name in ("alice", "bob", "carol"):
        await world.enrolled(name, FEW, is_active=name != "carol")
    return world


async def test_what_is_right_stays(resources, courses, capsys):
    assert await reconcile(resources) == 0
    assert capsys.readouterr().out == "1 courses with a limit, 0 put right\n"
    assert await courses.taken(FEW) == 2


async def test_what_is_wrong_is_put_right_and_told(resources, courses, capsys):
    await courses.db.execute("update seat set taken = 4")
    assert await reconcile(resources) == 1
    assert f"{FEW}: 4 seats noted, 2 taken; put right\n" in capsys.readouterr().out
    assert await courses.taken(FEW) == 2
    assert await reconcile(resources) == 0


async def test_a_limited_course_without_a_seat_row_gets_one(resources, courses, capsys):
    await courses.db.execute("delete from seat")
    assert await reconcile(resources) == 1
    assert await courses.taken(FEW) == 2
    assert await courses.taken(OPEN) is None


async def test_the_team_takes_no_seat(resources, courses):
    await courses.team(FEW, "alice")
    assert await courses.taken(FEW) == 1
    assert await reconcile(resources) == 0
