"""One transaction on the pool for work that may meet others at the same rows: it is repeated then."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import asyncpg

from common.resources import Resources
from enrollment.enrollments.changes import RacedError
from enrollment.enrollments.errors import TooBusy

ATTEMPTS: Final = 6
# what PostgreSQL says when two transactions cannot both go on
RACES: Final = frozenset({"40001", "40P01"})
T = TypeVar("T")


async def in_transaction(resources: Resources, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """What *work* gives, committed. Raises `TooBusy` when it kept meeting others."""
    for attempt in range(ATTEMPTS):
        if attempt:
            await asyncio.sleep(random.uniform(0.005, 0.02) * 2**attempt)  # noqa: S311 - no secret
        try:
            async with resources.pool.acquire() as connection, connection.transaction():
                return await work(connection)
        except RacedError:
            continue
        except asyncpg.PostgresError as error:
            if error.sqlstate not in RACES:
                raise
    raise TooBusy
