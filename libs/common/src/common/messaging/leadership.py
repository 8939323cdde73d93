"""One active relay per service: whoever holds a session advisory lock, on the connection that does the relay's work."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import structlog
from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError

from common.messaging.lifecycle import first_of

log = structlog.get_logger()
_LOCK = "select pg_try_advisory_lock(hashtextextended('lectern.relay', 0))"
_ASK_SECONDS = 1.0

# The last is what asyncpg says to a statement that meets a connection being torn down.
DATABASE_ERRORS = (
    OSError,
    TimeoutError,
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

# The server notices a leader whose machine vanished within seconds, not after two hours.
_KEEPALIVE = {"tcp_keepalives_idle": "1", "tcp_keepalives_interval": "1", "tcp_keepalives_count": "3"}


@asynccontextmanager
async def leadership(
    url: SecretStr, *, application: str, stop: asyncio.Event, lost: asyncio.Event
) -> AsyncIterator[asyncpg.Connection | None]:
    """The leader's connection once this process leads, or None when *stop* came first; *lost* is set when it ends.

    Everything the relay reads and marks goes over this connection: who lost the lock can no longer mark anything.
    Asking repeatedly instead of waiting in `pg_advisory_lock`: a waiting statement holds a snapshot and stops vacuum.
    """
    connection = await asyncpg.connect(
        url.get_secret_value(),
        timeout=5,
        command_timeout=15,
        server_settings={"application_name": application, **_KEEPALIVE},
    )
    connection.add_termination_listener(lambda *_: lost.set())
    try:
        while not await connection.fetchval(_LOCK):
            await first_of(stop, lost, timeout=_ASK_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
            if stop.is_set() or lost.is_set():
                yield None
                return
        yield connection
    finally:
        with suppress(*DATABASE_ERRORS):
            await connection.close(timeout=2)
