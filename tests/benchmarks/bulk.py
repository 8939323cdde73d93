"""100,000 enrollments by command, beside the same rows written by a bare statement at the same batch size."""

import asyncio
import json
import statistics
import time
import uuid

import aio_pika
import asyncpg
from api import Client
from measure import ROUNDS, Row

from common.testing.system import System

USERS, SIZE = 2000, 500
PAIRS = 100_000
COURSES = PAIRS // USERS

# What the service stores for an enrollment: the row, its history, and one message per 500 changes.
_BARE = """
with put as (
  insert into bare_enrollment (user_id, course_n, mode, is_active)
  select u, c, 'audit', true from unnest($1::bigint[], $2::bigint[]) as t(u, c)
  on conflict (user_id, course_n) do update set is_active = true, version = bare_enrollment.version + 1
  returning user_id, course_n, version, mode, is_active),
past as (
  insert into bare_history (user_id, course_n, version, source, actor, broker_user, command_id, requested_active,
    mode, is_active)
  select user_id, course_n, version, 'command', 'bench', 'lectern', $3, true, mode, is_active from put)
insert into bare_outbox (id, exchange, routing_key, type, aggregate, version, payload, headers)
select gen_random_uuid(), 'e', 'k', 't', $3, 1,
  jsonb_build_object('changes', jsonb_agg(jsonb_build_object('user_id', user_id, 'username', 'user_' || user_id,
    'course_id', 'course-v1:BenchX+Bulk+' || course_n, 'mode', mode, 'is_active', is_active, 'version', version,
    'changed_at', now()))), '{}' from put"""
_BARE_TABLES = (
    "drop table if exists bare_enrollment, bare_history, bare_outbox",
    "create table bare_enrollment (like enrollment including all)",
    "create table bare_history (like enrollment_history including all)",
    "create table bare_outbox (like outbox including all)",
)


async def bulk_rows(system: System, admin: Client) -> list[Row]:
    names = [f"bulk_{number}" for number in range(USERS)]
    users = [{"username": name, "email": f"{name}@example.com"} for name in names]
    answer = await admin.post("/api/accounts/v1/users", json=users)
    assert answer.status_code == 201, answer.text
    database = await asyncpg.connect(system.databases["enrollment"])
    try:
        rates, bases = [], []
        for number in range(min(ROUNDS, 3)):
            courses = await _courses(admin, number)
            await _heard(database, courses, names)
            bases.append(await _bare(database))
            # other services' projections are outside the clock, and on two cores also off the machine
            system.stop("content", "course-catalog", "import-export")
            rates.append(await _by_command(system, database, courses, names))
            for name in ("content", "course-catalog", "import-export"):
                system.spawn(name)
            await asyncio.to_thread(system.wait_ready)
        ratio = statistics.median(rate / base for rate, base in zip(rates, bases, strict=True))
    finally:
        await database.execute(_BARE_TABLES[0])
        await database.close()
    value, base = statistics.median(rates), statistics.median(bases)
    return [Row("bulk enrollment by command, 100,000 pairs", value, "rows/s", base, ratio, 0.4, ">=")]


async def _courses(admin: Client, round_number: int) -> list[str]:
    keys = []
    for number in range(COURSES):
        body = {"org": "BenchX", "number": f"B{round_number}", "run": f"R{number}", "display_name": "Bulk"}
        answer = await admin.post("/course", json=body)
        assert answer.status_code == 200, answer.text
        keys.append(answer.json()["course_key"])
    return keys


async def _heard(database: asyncpg.Connection, courses: list[str], names: list[str]) -> None:
    for _ in range(600):
        courses_there = await database.fetchval("select count(*) from course where key = any($1)", courses)
        users_there = await database.fetchval("select count(*) from account where username = any($1)", names)
        if courses_there == len(courses) and users_there == len(names):
            await database.execute("analyze account, course, enrollment, enrollment_history")
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the enrollment service has not heard of the courses")


async def _bare(database: asyncpg.Connection) -> float:
    for statement in _BARE_TABLES:
        await database.execute(statement)
    statement = await database.prepare(_BARE)
    batches = [
        (list(range(start, start + SIZE)), [course] * SIZE)
        for course in range(COURSES)
        for start in range(0, USERS, SIZE)
    ]
    started = time.perf_counter()
    for number, (users, courses) in enumerate(batches):
        await statement.fetch(users, courses, str(number))
    return PAIRS / (time.perf_counter() - started)


async def _by_command(system: System, database: asyncpg.Connection, courses: list[str], names: list[str]) -> float:
    """Rows per second from the first publish until the last command is answered in the database."""
    before = await database.fetchval("select count(*) from command where answer is not null")
    bodies = []
    for course in courses:
        for start in range(0, USERS, SIZE):
            items = [{"username": name, "course_id": course} for name in names[start : start + SIZE]]
            command = {"command_id": str(uuid.uuid4()), "requested_by": "bench", "items": items}
            bodies.append(json.dumps(command).encode())
    connection = await aio_pika.connect(system.broker.url)
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        exchange = await channel.get_exchange("lectern.commands")
        started = time.perf_counter()
        for start in range(0, len(bodies), 50):
            messages = [
                aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                for body in bodies[start : start + 50]
            ]
            await asyncio.gather(*(exchange.publish(each, routing_key="enrollment.enroll.v1") for each in messages))
        while True:
            done = await database.fetchval("select count(*) from command where answer is not null") - before
            if done >= len(bodies):
                break
            assert time.perf_counter() - started < 120, f"{done} of {len(bodies)} commands"
            await asyncio.sleep(0.01)
        seconds = time.perf_counter() - started
    return PAIRS / seconds
