"""Exact moving windows: in this process, or shared through Redis. Refused requests are not counted."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog
from limits.aio.storage import RedisStorage
from redis.exceptions import RedisError

log = structlog.get_logger()
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Count:
    """What a window says: whether this request fits, how many are in it, and when the next one will fit."""

    fits: bool
    used: int
    reset: float
    """Seconds until the oldest request leaves the window."""
    wait: float
    """Seconds until a request fits; 0 when one does."""


class LocalWindows:
    """The times of the last requests, per key. Costs a microsecond, and nothing for keys that are not asked."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._times: dict[tuple[str, str], deque[float]] = {}
        self._seconds: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._times)

    def count(self, counter: str, key: str, *, seconds: int, limit: int, hit: bool = True) -> Count:
        """Count a request, or with `hit=False` only look."""
        now = self._clock()
        times = self._times.get((counter, key))
        if times is None:
            if not hit:
                return Count(fits=True, used=0, reset=seconds, wait=0)
            times = self._times[counter, key] = deque()
            self._seconds[counter] = seconds
        horizon = now - seconds
        while times and times[0] <= horizon:
            times.popleft()
        used = len(times)
        if used >= limit:
            # a shared count can stand above this limit: then several have to leave before one fits
            wait = times[used - limit] - horizon
            return Count(fits=False, used=used, reset=times[0] - horizon, wait=wait)
        if hit:
            times.append(now)
            used += 1
        return Count(fits=True, used=used, reset=times[0] - horizon if times else seconds, wait=0)

    def sweep(self) -> None:
        """Forget keys whose last request has left its window."""
        now = self._clock()
        gone = [key for key, times in self._times.items() if not times or times[-1] <= now - self._seconds[key[0]]]
        for key in gone:
            del self._times[key]


class SharedUnavailable(Exception):
    """The shared counter did not answer."""


class SharedWindows(Protocol):
    """Windows that several gateways count in."""

    async def count(self, counter: str, key: str, *, seconds: int, limit: int, most: int) -> Count: ...


class RedisWindows:
    """The same windows in Redis. Raises `SharedUnavailable` within 50 ms; then Redis is left alone for a second."""

    TIMEOUT = 0.05
    PAUSE = 1.0

    def __init__(self, url: str) -> None:
        self._storage = RedisStorage(f"async+{url}", implementation="redispy")
        self._rest_until = 0.0

    async def count(self, counter: str, key: str, *, seconds: int, limit: int, most: int) -> Count:
        if time.monotonic() < self._rest_until:
            raise SharedUnavailable
        name = f"lectern/{counter}/{key}"
        try:
            async with asyncio.timeout(self.TIMEOUT):
                fits: bool = await self._storage.acquire_entry(name, limit, seconds)
                oldest, used = await self._storage.get_moving_window(name, most, seconds)
        except (RedisError, OSError, TimeoutError) as error:
            self._rest_until = time.monotonic() + self.PAUSE
            log.warning("shared_counter_unavailable", error=repr(error))
            raise SharedUnavailable from error
        reset = max(0.0, oldest + seconds - time.time())
        return Count(fits=fits, used=used, reset=reset, wait=0 if fits else reset)
