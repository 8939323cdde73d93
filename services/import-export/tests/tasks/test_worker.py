import asyncio
import contextlib
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import text

from common.testing.identity import a_caller
from common.testing.waiting import until
from import_export.tasks.models import Kind, Phase, State
from import_export.tasks.operations import finish_job
from import_export.tasks.queries import claim_job
from import_export.tasks.wakeups import Topic, Wakeups, announce_change
from import_export.tasks.worker import JobFailed, Worker

COURSE = "course-v1:Org+Sample+2030"
STAFF = a_caller("staff", staff=True)
OTHER = "course-v1:Org+Other+1"


@pytest.fixture
def begun(http, archive):
    async def begin(course=COURSE):
        return (await http.push(archive, course)).json()["task_id"]

    return begin


@contextlib.asynccontextmanager
async def working(resources, work, *, workers=1, lease=5.0, attempts=3, seen=None):
    url = resources.settings.database_url
    wakeups = Wakeups(url, application="test jobs")
    tasks = [asyncio.create_task(wakeups.listen())]
    for _ in range(workers):
        worker = Worker(Kind.IMPORT, work, resources, wakeups, lease, attempts)
        tasks.append(asyncio.create_task(worker.run()))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def succeed(held):
    async with held.row() as (session, job):
        await finish_job(session, job, State.SUCCEEDED, now=datetime.now(UTC))


async def states(db):
    return {str(row["id"]): row["state"] for row in await db.fetch("select id, state from job")}


async def all_ended(db):
    async def check():
        found = await states(db)
        return found if all(state in ("Succeeded", "Failed", "Canceled") for state in found.values()) else None

    return await until(check, what="end of all jobs")


async def test_imports_of_one_course_run_one_after_the_other_in_order(http, db, resources, begun):
    running, order, most = set(), [], 0

    async def work(held):
        nonlocal most
        running.add(held.job.id)
        order.append(str(held.job.id))
        most = max(most, len(running))
        await asyncio.sleep(0.02)
        running.remove(held.job.id)
        await succeed(held)

    ids = [await begun() for _ in range(4)]
    async with working(resources, work, workers=3):
        await all_ended(db)
    assert (most, order) == (1, ids)


async def test_imports_of_different_courses_do_not_wait_for_each_other(http, db, resources, begun):
    both = asyncio.Barrier(2)

    async def work(held):
        async with asyncio.timeout(5):
            await both.wait()
        await succeed(held)

    await begun()
    await begun(OTHER)
    async with working(resources, work, workers=2):
        assert set((await all_ended(db)).values()) == {"Succeeded"}


async def test_a_new_job_wakes_a_sleeping_worker(http, db, resources, begun):
    async with working(resources, succeed):
        await asyncio.sleep(0.2)
        started = asyncio.get_running_loop().time()
        await begun()
        await all_ended(db)
        assert asyncio.get_running_loop().time() - started < 5  # an idle worker looks by itself once a minute


async def test_the_job_of_a_killed_process_is_taken_up_when_its_lease_is_over(http, db, resources, begun):
    task_id = await begun()
    async with resources.sessions.begin() as session:
        assert await claim_job(session, kind=Kind.IMPORT, worker=uuid4(), seconds=0.5)
    async with working(resources, succeed):
        assert await all_ended(db) == {task_id: "Succeeded"}
    assert await db.fetchval("select attempts from job") == 2


async def test_a_lease_in_use_is_renewed(http, db, resources, begun):
    begins = 0

    async def work(held):
        nonlocal begins
        begins += 1
        await asyncio.sleep(0.8)
        await succeed(held)

    await begun()
    async with working(resources, work, workers=2, lease=0.3):
        await all_ended(db)
    assert begins == 1


async def test_a_canceled_job_is_dropped_at_once(http, db, resources, begun):
    stopped = asyncio.Event()

    async def work(held):
        try:
            await asyncio.sleep(30)
        finally:
            stopped.set()

    task_id = await begun()
    async with working(resources, work):
        await until(lambda: db.fetchval("select true from job where phase = 'working'"), what="work")
        answer = await http("POST", f"/api/v0/tasks/{task_id}/cancel")
        assert answer.json()["state"] == "Canceled"
        async with asyncio.timeout(2):
            await stopped.wait()
    assert await states(db) == {task_id: "Canceled"}


async def test_a_worker_that_has_lost_its_lease_changes_nothing(http, db, resources, begun):
    async def work(held):
        await resources.pool.execute("update job set lease_owner = $1", uuid4())
        await succeed(held)

    task_id = await begun()
    async with working(resources, work):
        await until(lambda: db.fetchval("select true from job where lease_owner is not null"), what="work")
        await asyncio.sleep(0.2)
        assert await states(db) == {task_id: "In Progress"}


async def test_a_job_that_never_ends_is_given_up_after_some_attempts(http, db, resources, begun):
    async def work(held):
        raise OSError("disk full")

    task_id = await begun()
    async with working(resources, work, attempts=1):
        await until(lambda: db.fetchval("select true from job where state = 'Failed'"), what="the end")
    task = await http.task(task_id)
    assert task["error"]["code"] == "gave_up"


async def test_a_trouble_that_passes_costs_the_job_nothing(http, db, resources, begun):
    tries = 0

    async def work(held):
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError("for a moment")
        await succeed(held)

    await begun()
    async with working(resources, work):
        assert set((await all_ended(db)).values()) == {"Succeeded"}


@pytest.mark.parametrize(
    ("error", "code"),
    [(JobFailed("no_course_xml", "None.", member="x"), "no_course_xml"), (KeyError(1), "internal_error")],
)
async def test_one_bad_job_does_not_stop_the_worker(http, db, resources, error, code, begun):
    bad = await begun()

    async def work(held):
        if str(held.job.id) == bad:
            raise error
        await succeed(held)

    good = await begun()
    async with working(resources, work):
        assert await all_ended(db) == {bad: "Failed", good: "Succeeded"}
    assert (await http.task(bad))["error"]["code"] == code


async def test_a_worker_that_leaves_hands_its_job_back(http, db, resources, begun):
    async def work(held):
        await asyncio.sleep(30)

    await begun()
    async with working(resources, work):
        await until(lambda: db.fetchval("select true from job where phase = 'working'"), what="work")
    row = await db.fetchrow("select phase, attempts, lease_owner from job")
    assert tuple(row) == (Phase.QUEUED, 0, None)


async def test_the_database_keeps_two_imports_of_a_course_apart_by_itself(http, db, begun):
    await begun()
    await begun()
    with pytest.raises(Exception, match="job_one_import_key"):
        await db.execute("update job set phase = 'working'")


async def test_every_end_is_announced_once(http, db, resources, begun):
    await begun()
    async with working(resources, succeed):
        await all_ended(db)
    rows = await db.fetch("select payload from outbox where type = 'import_export.job.finished.v1'")
    assert len(rows) == 1
    assert STAFF.username in rows[0]["payload"]


async def test_a_change_wakes_those_whom_it_concerns(resources):
    """And everybody, when another release says something unknown, or the connection was lost."""
    wakeups = Wakeups(resources.settings.database_url, application="test jobs")
    before = {topic: wakeups.current(topic) for topic in Topic}
    listening = asyncio.create_task(wakeups.listen())
    try:
        for changed in before.values():
            await wakeups.wait(changed, 5)
        assert all(changed.is_set() for changed in before.values())
        changed = {topic: wakeups.current(topic) for topic in Topic}
        async with resources.sessions.begin() as session:
            await announce_change(session, Topic.EXPORT, Topic.TIMERS)
        await wakeups.wait(changed[Topic.TIMERS], 5)
        assert {topic for topic in Topic if changed[topic].is_set()} == {Topic.EXPORT, Topic.TIMERS}
        async with resources.sessions.begin() as session:
            await session.execute(text("select pg_notify('import_export_jobs', 'something new')"))
        await wakeups.wait(changed[Topic.LITTER], 5)
        assert all(event.is_set() for event in changed.values())
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
