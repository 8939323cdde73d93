"""Wait for conditions instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

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
