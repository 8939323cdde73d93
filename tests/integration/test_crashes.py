"""Processes are killed where it hurts; the ledger says that every committed change had its effect exactly once."""

import asyncio
import random
import time
import uuid

import asyncpg
import httpx
import pytest
from api import Client, admin_of, enroll, import_course, new_user, pack
from ledger import Ledger
from traffic import Commands, enroll_by_http

from common.testing.waiting import until

VICTIMS = ("enrollment", "content", "course-catalog", "gateway", "enrollment", "content")


@pytest.fixture
async def databases(system):
    opened = [await asyncpg.connect(system.databases[name]) for name in ("enrollment", "content")]
    yield tuple(opened)
    for connection in opened:
        await connection.close()


@pytest.fixture
async def ledger(admin, sample_course) -> Ledger:
    course = f"course-v1:CrashX+C+{uuid.uuid4().hex[:8]}"
    await import_course(admin, course, pack(sample_course))
    return Ledger(course)


async def some_learners(admin: Client, count: int) -> list[str]:
    stem = uuid.uuid4().hex[:8]
    users = [{"username": f"c{stem}_{n}", "email": f"c{stem}_{n}@example.com"} for n in range(count)]
    answer = await admin.post("/api/accounts/v1/users", json=users)
    assert answer.status_code == 201, answer.text
    return [user["username"] for user in users]


async def settled(ledger: Ledger, databases, *, timeout: float = 30) -> None:
    """The ledger is clean, soon."""
    enrollment, content = databases
    last: list[str] = []

    async def clean() -> bool:
        last[:] = await ledger.complaints(enrollment, content)
        return not last

    try:
        await until(clean, timeout=timeout)
    except AssertionError:
        pytest.fail(f"{len(last)} complaints: {last[:10]}")


@pytest.mark.parametrize(
    "point", ["relay.after_confirm:2", "consumer.before_commit:2", "consumer.after_commit:2", "api.after_commit:3"]
)
async def test_a_crash_between_two_systems_loses_and_repeats_nothing(system, admin, http, ledger, databases, point):
    names = await some_learners(admin, 60)
    system.stop("enrollment")
    child = system.spawn("enrollment", environment={"LECTERN_CRASH_AT": point})
    await asyncio.to_thread(system.wait_ready)
    commands = Commands(system.broker.url, ledger)
    for start in range(0, 40, 4):
        commands.add(names[start : start + 4])
    traffic = asyncio.gather(commands.run(), enroll_by_http(http, admin.token, names[40:], ledger))
    await until(lambda: _ended(child), timeout=20, what=f"crash at {point}")
    assert child.returncode == -9
    system.spawn("enrollment", environment={})
    await asyncio.wait_for(traffic, 60)
    await settled(ledger, databases)
    assert ledger.learners == set(names)


async def _ended(child) -> bool:
    return child.returncode is not None


@pytest.mark.parametrize("kills", [10, pytest.param(50, marks=[pytest.mark.torture, pytest.mark.timeout(900)])])
async def test_random_kills_under_load_lose_and_repeat_nothing(system, admin, http, ledger, databases, kills):
    names = await some_learners(admin, 40 * kills)
    half = len(names) // 2
    commands = Commands(system.broker.url, ledger)
    chance = random.Random(20260101)

    async def drip() -> None:
        for start in range(0, half, 5):
            commands.add(names[start : start + 5])
        await commands.run()

    traffic = asyncio.gather(drip(), enroll_by_http(http, admin.token, names[half:], ledger, pause=0.02))
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(0.2, 1.0))
        victim = chance.choice(VICTIMS)
        system.kill(victim)
        await asyncio.sleep(chance.uniform(0.0, 0.3))
        system.again(victim)
    await asyncio.to_thread(system.wait_ready)
    await asyncio.wait_for(traffic, 60 + 6 * kills)
    await settled(ledger, databases, timeout=60)
    assert ledger.learners == set(names)


async def test_the_ledger_notices_a_broken_run(system, admin, http, ledger, databases):
    """A relay that marks before it publishes, played by the test, must not pass."""
    enrollment, content = databases
    names = await some_learners(admin, 5)
    system.stop("enrollment")
    system.spawn("enrollment", "serve", label="enrollment-serve", environment=_port_of(system, "enrollment"))
    system.spawn("enrollment", "consume", label="enrollment-consume")
    await asyncio.to_thread(system.wait_ready)
    await enroll_by_http(http, admin.token, names, ledger)
    lost = await enrollment.fetch("update outbox set sent_at = now() where sent_at is null returning position")
    assert lost
    complaints = await ledger.complaints(enrollment, content)
    assert {f"{name}: enrolled, and content has not heard" for name in names} <= set(complaints)
    await enrollment.execute(
        "update outbox set sent_at = null where position = any($1)", [row["position"] for row in lost]
    )
    system.spawn("enrollment", "relay", label="enrollment-relay")
    await settled(ledger, databases)
    await content.execute("update enrollment set version = version + 1 where course_key = $1", ledger.course_id)
    complaints = await ledger.complaints(enrollment, content)
    assert {f"{name}: content believes version 2, it is 1" for name in names} <= set(complaints)
    await content.execute("update enrollment set version = version - 1 where course_key = $1", ledger.course_id)
    system.stop("enrollment-serve", "enrollment-consume", "enrollment-relay")
    system.spawn("enrollment")
    await asyncio.to_thread(system.wait_ready)


def _port_of(system, service: str) -> dict[str, str]:
    return {"LECTERN_HTTP_PORT": system.service_url(service).rsplit(":", 1)[1]}


async def test_of_three_relays_one_works_and_the_next_takes_over(system, admin, ledger, databases):
    enrollment, content = databases
    names = await some_learners(admin, 2)

    async def known() -> bool:
        return await enrollment.fetchval("select count(*) from account where username = any($1)", names) == 2

    await until(known, what="accounts")
    labels = [f"relay-{number}" for number in range(3)]
    system.stop("enrollment")
    system.spawn("enrollment", "serve", label="enrollment-serve", environment=_port_of(system, "enrollment"))
    for label in labels:
        system.spawn("enrollment", "relay", label=label)
    await asyncio.to_thread(system.wait_ready)

    async def leaders() -> list[str]:
        return [label for label in labels if "relay_leads" in system.log(label).read_text()]

    await until(leaders, what="leader")
    first = (await leaders())[0]
    assert (await enroll(admin, ledger.course_id, user=names[0])).status_code == 200
    await until(lambda: _heard(content, ledger, names[0]), what="effect through the first relay")
    assert await leaders() == [first]
    system.kill(first)
    started = time.monotonic()
    assert (await enroll(admin, ledger.course_id, user=names[1])).status_code == 200
    await until(lambda: _heard(content, ledger, names[1]), timeout=5, what="effect through the next relay")
    assert time.monotonic() - started < 5
    assert len(await leaders()) == 2
    system.stop("enrollment-serve", *(label for label in labels if label != first))
    system.spawn("enrollment")
    await asyncio.to_thread(system.wait_ready)


async def _heard(content: asyncpg.Connection, ledger: Ledger, username: str) -> bool:
    return bool(
        await content.fetchval(
            "select 1 from enrollment e join account a using (user_id) where a.username = $1 and e.course_key = $2",
            username,
            ledger.course_id,
        )
    )


async def test_an_event_nobody_hears_does_not_stop_the_outbox(system, admin, sample_course):
    """import_export.job.finished.v1 has no reader in the system."""
    course = f"course-v1:CrashX+U+{uuid.uuid4().hex[:8]}"
    await import_course(admin, course, pack(sample_course))
    connection = await asyncpg.connect(system.databases["import-export"])
    try:

        async def drained() -> bool:
            sent = await connection.fetchval(
                "select count(*) from outbox where type = 'import_export.job.finished.v1' and sent_at is not null"
            )
            return sent > 0 and not await connection.fetchval("select count(*) from outbox where sent_at is null")

        await until(drained)
    finally:
        await connection.close()


async def test_a_broker_killed_in_mid_traffic_loses_nothing_confirmed(system, credentials, admin, ledger, databases):
    names = await some_learners(admin, 300)
    commands = Commands(system.broker.url, ledger)
    for start in range(0, 200, 2):
        commands.add(names[start : start + 2])
    async with httpx.AsyncClient(base_url=system.base_url, timeout=30) as http:
        token = (await admin_of(http, credentials)).token
        traffic = asyncio.gather(
            commands.run(), enroll_by_http(http, token, names[200:], ledger, pause=0.02), return_exceptions=False
        )
        await until(lambda: _some(ledger), timeout=20, what="first confirmations")
        await asyncio.to_thread(system.broker.kill)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(system.broker.restart)
        await asyncio.wait_for(traffic, 110)
    await settled(ledger, databases, timeout=60)
    assert ledger.learners == set(names)
    assert commands.confirmed == set(ledger.answers)


async def _some(ledger: Ledger) -> bool:
    return len(ledger.learners) > 20


async def test_a_learner_enrolls_as_before_after_all_that(system, http, credentials, ledger):
    admin = await admin_of(http, credentials)
    learner = await new_user(admin, f"after_{uuid.uuid4().hex[:8]}")

    async def enrolled() -> bool:
        return (await enroll(learner, ledger.course_id)).status_code == 200

    # a consumer that lost its broker tries again after at most ten seconds
    await until(enrolled, timeout=20, what="enrollment")
