"""Wait for conditions instead of sleeping; and do not wait where a test wants the refusal."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from common.facts import Facts
from common.resources import Resources

T = TypeVar("T")


async def until(check: Callable[[], Awaitable[T | None]], *, timeout: float = 10, what: str = "condition") -> T:
    """The first truthy answer of *check*, asked every 20 ms. Raises AssertionError with the last answer."""
    deadline = time.monotonic() + timeout
    while True:
        answer = await check()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what} within {timeout} s; last answer: {answer!r}")
        await asyncio.sleep(0.02)


class _Impatient(Facts):
    """Asks once."""

    async def eventually(self, read: Callable[[], Awaitable[T | None]], *, timeout: float = 0) -> T | None:
        return await read()


def impatient(resources: Resources) -> Resources:
    """The same, but whoever reads waits for no fact that may still come: most tests of a refusal want just that."""
    return replace(resources, facts=_Impatient(resources.settings.database_url, application="test"))
