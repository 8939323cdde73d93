"""The staff list reads its indexes in order, whatever it is narrowed to, at its first page and at its last."""

import time

import pytest

from enrollment.enrollments.listing import Cursor, _statement

COURSES = 100


@pytest.fixture(
    params=[10_000, pytest.param(1_000_000, marks=[pytest.mark.torture, pytest.mark.timeout(900)])],
    ids=["10000", "1000000"],
)
async def many(world, request):
    users = request.param // COURSES
    await world.db.execute(
        "insert into account (user_id, username, email, is_active, is_staff, version)"
        " select n, 'u' || n, 'u' || n || '@example.com', true, false, 1 from generate_series(1, $1) n",
        users,
    )
    await world.db.execute(
        "insert into course (key, spelling, org, version)"
        " select 'course-v1:O+C+' || n, 'course-v1:O+C+' || n, 'O', 1 from generate_series(1, $1) n",
        COURSES,
    )
    await world.db.execute(
        "insert into enrollment (user_id, course_n, mode, is_active)"
        " select a.user_id, c.n, 'audit', true from course c, account a order by c.n, a.user_id"
    )
    await world.db.execute("analyze account, course, enrollment")
    return world


@pytest.mark.parametrize(
    ("users", "courses", "index"),
    [
        (False, 0, "enrollment_id"),
        (True, 0, "enrollment_pkey"),
        (False, 1, "enrollment_course"),
        (False, COURSES, "enrollment_course"),
        (True, 1, "enrollment_pkey"),
    ],
)
async def test_first_and_last_page(many, users, courses, index):
    db = many.db
    numbers = [row["n"] for row in await db.fetch("select n from course order by n limit $1", courses)] or None
    ids = [1, 2] if users else None
    ends = await db.fetchrow("select min(id) + 101 as last, max(id) + 1 as first from enrollment")
    await db.execute("set enable_seqscan = off; set jit = off")
    times = []
    for place in (ends["first"], ends["last"]):
        statement, values = _statement(ids, numbers, Cursor(place, back=False), limit=101)
        plan = "\n".join(row[0] for row in await db.fetch(f"explain (analyze, buffers) {statement}", *values))
        # the few rows before the last page may as well be met by their ids
        assert f" {index} " in plan or (place == ends["last"] and " enrollment_id " in plan), plan
        assert "Seq Scan on enrollment" not in plan, plan
        times.append(min([await _timed(db, statement, values) for _ in range(5)]))
    assert max(times) < 0.05


async def _timed(db, statement, values) -> float:
    started = time.perf_counter()
    await db.fetch(statement, *values)
    return time.perf_counter() - started
