"""A negative answer waits for facts that are on their way, but not for ever, and not for everybody."""

import asyncio
import time

import asyncpg
import pytest
from pydantic import SecretStr

from common.facts import MAX_WAITERS, NOTIFY, Facts
from common.testing.waiting import until


@pytest.fixture
async def facts(make_database):
    url = make_database()
    facts = Facts(SecretStr(url), application="test")
    facts.start()
    connection = await asyncpg.connect(url)

    async def listening():
        return await connection.fetchval("select 1 from pg_stat_activity where application_name = 'test facts'")

    await until(listening)
    yield facts, connection
    await facts.stop()
    await connection.close()


async def test_a_fact_that_arrives_in_time_is_found(facts):
    waiting, connection = facts
    known: list[int] = []

    async def read() -> int | None:
        return known[0] if known else None

    async def arrive() -> None:
        await asyncio.sleep(0.05)
        known.append(7)
        await connection.execute(NOTIFY)

    started = time.monotonic()
    found, _ = await asyncio.gather(waiting.eventually(read), arrive())
    assert found == 7
    assert time.monotonic() - started < 0.4


async def test_what_never_comes_is_refused_after_half_a_second(facts):
    waiting, _ = facts
    started = time.monotonic()
    assert await waiting.eventually(lambda: asyncio.sleep(0, None)) is None
    assert 0.4 < time.monotonic() - started < 2


async def test_a_flood_of_misses_is_answered_at_once(facts):
    waiting, _ = facts

    async def nothing() -> None:
        return None

    crowd = [asyncio.create_task(waiting.eventually(nothing, timeout=2)) for _ in range(MAX_WAITERS)]
    await asyncio.sleep(0)
    started = time.monotonic()
    assert await waiting.eventually(nothing, timeout=2) is None
    assert time.monotonic() - started < 0.5
    for task in crowd:
        task.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)


async def test_a_lost_connection_is_replaced(facts):
    waiting, connection = facts
    await connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'test facts'"
    )

    async def back():
        return await connection.fetchval("select 1 from pg_stat_activity where application_name = 'test facts'")

    await until(back)
    known: list[int] = []

    async def read() -> int | None:
        return known[0] if known else None

    task = asyncio.create_task(waiting.eventually(read, timeout=5))
    await asyncio.sleep(0.02)
    known.append(1)
    await connection.execute(NOTIFY)
    assert await asyncio.wait_for(task, 1) == 1
