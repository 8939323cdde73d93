"""Sessions, the asyncpg pool, and the one place where a request's transaction is opened and committed."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, cast

import asyncpg
import orjson
from fastapi import Depends
from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.engine import AdaptedConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from starlette.requests import Request

# What a database that goes away does to whoever is talking to it; a connection cut in mid-answer leaves the last one.
DATABASE_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


NAMING = {
    "ix": "%(table_name)s_%(column_0_N_name)s",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


def dump_json(value: object) -> str:
    return orjson.dumps(value).decode()


def make_engine(url: SecretStr, *, size: int, application: str) -> AsyncEngine:
    """SQLAlchemy on asyncpg."""
    target = url.get_secret_value().replace("postgresql://", "postgresql+asyncpg://", 1)
    engine = create_async_engine(
        target,
        pool_size=size,
        max_overflow=size,
        json_serializer=dump_json,
        json_deserializer=orjson.loads,
        connect_args={"server_settings": {"application_name": application}, "timeout": 5},
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _refuse_closed(connection: AdaptedConnection, _record: object, _pooled: object) -> None:
    """A restarted database must not fail the next request: the pool opens another connection at this.

    The driver knows by itself of a connection that has been closed. Asking the server, as `pool_pre_ping` does, is
    three round trips (BEGIN, an empty statement, ROLLBACK), more than most sessions need for their own work.
    """
    if connection.driver_connection.is_closed():
        raise DisconnectionError


async def _prepare(connection: asyncpg.Connection) -> None:
    for name in ("json", "jsonb"):
        await connection.set_type_codec(name, encoder=dump_json, decoder=orjson.loads, schema="pg_catalog")


async def _keep(connection: asyncpg.Connection) -> None:
    """Nothing to reset: pool users run single statements or explicit transactions, and set no session state.

    The default reset costs a round trip on every release (1.7x on a primary-key read).
    """


async def open_pool(
    url: SecretStr, *, size: int, application: str, server_settings: Mapping[str, str] | None = None
) -> asyncpg.Pool:
    """The pool of the constant hot statements. A closed connection is replaced at the next acquire."""
    return await asyncpg.create_pool(
        url.get_secret_value(),
        min_size=1,
        max_size=size,
        init=_prepare,
        reset=_keep,
        timeout=5,
        server_settings={"application_name": application, **(server_settings or {})},
    )


async def raw(session: AsyncSession) -> asyncpg.Connection:
    """The driver's connection inside the session's transaction, for statements that carry load."""
    connection = await session.connection()
    driver = cast("asyncpg.Connection", (await connection.get_raw_connection()).driver_connection)
    if not driver.is_in_transaction():
        # SQLAlchemy sends BEGIN with its own first statement; without one ours would commit by themselves
        await connection.exec_driver_sql("select 1")
    return driver


async def _write(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.state.resources.sessions.begin() as session:
        yield session


async def _read(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.state.resources.sessions() as session:
        await session.connection(execution_options={"postgresql_readonly": True})
        yield session


# scope="function": the transaction is left before the reply is sent, so a reply means "stored".
WriteSession = Annotated[AsyncSession, Depends(_write, scope="function")]
ReadSession = Annotated[AsyncSession, Depends(_read, scope="function")]
