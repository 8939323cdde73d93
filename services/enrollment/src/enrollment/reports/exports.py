"""A course's enrollments as CSV, written by PostgreSQL and passed on piece by piece."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import asyncpg
from pydantic import SecretStr

from enrollment.reports.queries import EXPORT

# pieces that wait for a slow reader; PostgreSQL waits behind them
_AHEAD: Final = 8


async def open_export(url: SecretStr) -> asyncpg.Connection:
    """A connection of the export's own: a slow reader must not keep the pool's from enrolling."""
    return await asyncpg.connect(
        url.get_secret_value(), timeout=5, server_settings={"application_name": "lectern enrollment export"}
    )


async def stream_csv(connection: asyncpg.Connection, course_n: int) -> AsyncIterator[bytes]:
    """The export's bytes, of one moment; memory does not grow with the course. Closes the connection."""
    pieces: asyncio.Queue[bytes] = asyncio.Queue(_AHEAD)

    async def write() -> None:
        await connection.copy_from_query(EXPORT, course_n, output=pieces.put, format="csv", header=True)

    writing = asyncio.create_task(write())
    try:
        while not (writing.done() and pieces.empty()):
            getting = asyncio.ensure_future(pieces.get())
            await asyncio.wait((getting, writing), return_when=asyncio.FIRST_COMPLETED)
            if getting.done():
                yield bytes(getting.result())
            else:
                getting.cancel()
        await writing
    finally:
        writing.cancel()
        with contextlib.suppress(asyncio.CancelledError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await writing
        connection.terminate()
