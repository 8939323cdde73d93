"""Long-running roles: run until cancelled, finish what is in hand, then leave."""

import asyncio
import random
from collections.abc import Awaitable, Callable


class Stopped(Exception):
    """The process is leaving: what is in hand stays where it is."""


async def run_until_cancelled(work: Callable[[asyncio.Event], Awaitable[None]], *, grace: float) -> None:
    """Run *work*; on cancellation set the event it was given and wait for it to drain, at most *grace* seconds."""
    stop = asyncio.Event()
    task = asyncio.ensure_future(work(stop))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({task}, timeout=grace)
        raise
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def first_of(*events: asyncio.Event, timeout: float | None = None) -> None:
    """Wait until one of *events* is set, or the time is over."""
    if any(event.is_set() for event in events):
        return
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


def backoff(failures: int, *, first: float = 0.5, limit: float = 30.0) -> float:
    """Seconds to wait after so many failures in a row: doubling, bounded, with jitter so that a fleet spreads out."""
    return min(limit, first * 2.0 ** min(failures - 1, 20)) * random.uniform(0.6, 1.0)  # noqa: S311 - no secret
