"""The pool of sessions, and a database that closes its connections."""

import asyncpg
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from common.database import make_engine
from common.testing.waiting import until

_PID = text("select pg_backend_pid()")


async def test_a_connection_that_the_server_has_closed_is_replaced_before_it_is_used(make_database):
    """As it lies in the pool, without a session noticing."""
    url = make_database()
    engine, other = make_engine(SecretStr(url), size=2, application="test"), await asyncpg.connect(url)
    try:
        async with AsyncSession(engine) as session:
            first = await session.scalar(_PID)
            driver = (await (await session.connection()).get_raw_connection()).driver_connection
        async with AsyncSession(engine) as session:
            assert await session.scalar(_PID) == first
        await other.execute("select pg_terminate_backend($1)", first)

        async def is_gone() -> bool:
            """For the server, and for the driver, whose loop hears of it a moment later."""
            gone = not await other.fetchval("select 1 from pg_stat_activity where pid = $1", first)
            return gone and driver.is_closed()

        await until(is_gone, what="the end of the connection")
        async with AsyncSession(engine) as session:
            assert await session.scalar(_PID) != first
    finally:
        await other.close()
        await engine.dispose()


async def test_a_session_asks_the_server_nothing_of_its_own_but_a_transaction(make_database):
    """One BEGIN and one ROLLBACK, and no other before them to find out whether the connection is still there."""
    url = make_database()
    engine = make_engine(SecretStr(url), size=1, application="test")
    sent: list[str] = []
    try:
        async with AsyncSession(engine) as session:
            connection = await session.connection()
            driver = (await connection.get_raw_connection()).driver_connection
            driver.add_query_logger(lambda record: sent.append(record.query))
        async with AsyncSession(engine) as session:
            await session.execute(text("select 1"))
    finally:
        await engine.dispose()
    framing = [query.rstrip(";").split(" ")[0].lower() for query in sent]
    assert [word for word in framing if word != "select"] == ["begin", "rollback"]
