"""Pages of programs, and a learner's list, read their indexes in order, whatever else is stored."""

from uuid import UUID

import pytest

from enrollment.enrollments.queries import _LIST, _ONE
from enrollment.program_enrollments.queries import _COURSE_PAGES, _PROGRAM_PAGES

LARGE, SMALL = "5b2c7a52-0d0f-4f43-8a3e-000000000001", "5b2c7a52-0d0f-4f43-8a3e-000000000007"
PAGE = 101
KEYS = """
insert into program_enrollment (program_uuid, curriculum_uuid, external_user_key, folded, user_id, status)
select ('5b2c7a52-0d0f-4f43-8a3e-' || lpad((case when n % 10 < 9 then 1 else 2 + n / 10 % 20 end)::text, 12, '0'))
  ::uuid, '00000000-1111-2222-3333-444444444444', 'k' || n, 'k' || n, case when n % 2 = 0 then n end, 'enrolled'
from generate_series(1, $1::int) n order by n
"""


@pytest.fixture(
    params=[5_000, pytest.param(100_000, marks=[pytest.mark.torture, pytest.mark.timeout(300)])],
    ids=["5000", "100000"],
)
async def many(world, request):
    """Nine keys of ten in one program, the rest in twenty others; each learner in two courses of fifty."""
    db, count = world.db, request.param
    await db.execute(
        "insert into account (user_id, username, email, is_active, is_staff, version)"
        " select n, 'u' || n, 'u' || n || '@example.com', true, false, 1 from generate_series(1, $1::int) n",
        count,
    )
    await db.execute(
        "insert into course (key, spelling, org, version)"
        " select 'course-v1:O+C+' || n, 'course-v1:O+C+' || n, 'O', 1 from generate_series(1, 50) n"
    )
    first = await db.fetchval("select min(n) from course")
    for number in range(1, 22):
        await world.program(number)
    await db.execute(KEYS, count)
    await db.execute(
        "insert into program_course_enrollment (program_enrollment_id, program_uuid, course_n, status)"
        " select id, program_uuid, $1::bigint + id % 5, 'active' from program_enrollment order by id",
        first,
    )
    await db.execute(
        "insert into enrollment (user_id, course_n, mode, is_active)"
        " select a.user_id, $1::bigint + (a.user_id + i) % 50, 'masters', true from account a, generate_series(0, 1) i",
        first,
    )
    await db.execute("analyze")
    return world


async def plan(db, statement, *values):
    return "\n".join(row[0] for row in await db.fetch(f"explain (analyze, buffers) {statement}", *values))


def is_in_order(found, index):
    assert f" {index} " in found, found
    assert "Sort" not in found, found


async def test_pages_of_programs(many):
    db, uuid = many.db, UUID(LARGE)
    last = await db.fetchval("select max(id) from program_enrollment where program_uuid = $1", uuid)
    for statement, place in ((0, -1), (0, last - PAGE), (1, last)):
        found = await plan(db, _PROGRAM_PAGES[statement], uuid, place, PAGE, True, True)
        is_in_order(found, "program_enrollment_page")


async def test_a_small_program_is_not_looked_for_among_all_keys(many):
    for statement, place in ((0, -1), (1, 2**40)):
        found = await plan(many.db, _PROGRAM_PAGES[statement], UUID(SMALL), place, PAGE, True, True)
        # so few are found by any index that begins with the program
        assert " program_enrollment_page " in found or " program_enrollment_key " in found, found
        assert " program_enrollment_pkey " not in found, found


async def test_pages_of_a_programs_course(many):
    db, uuid = many.db, UUID(LARGE)
    number, key, last = await db.fetchrow(
        "select c.course_n, k.key, max(c.id) from program_course_enrollment c join course k on k.n = c.course_n"
        " where c.program_uuid = $1 group by 1, 2 order by 1 limit 1",
        uuid,
    )
    for statement, place in ((0, -1), (0, last - PAGE), (1, last)):
        found = await plan(db, _COURSE_PAGES[statement], uuid, place, PAGE, number, True, key)
        is_in_order(found, "program_course_enrollment_page")


async def test_a_learners_list_and_one_of_it(many):
    for statement, values in ((_LIST, ("u7", True, None)), (_ONE, ("u7", "course-v1:O+C+8"))):
        found = await plan(many.db, statement, *values)
        for index in ("account_username", "enrollment_pkey"):
            assert f" {index} " in found, found
        assert "Seq Scan on enrollment" not in found, found
