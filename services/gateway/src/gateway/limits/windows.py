"""Exact moving windows in this process. Refused requests are not counted."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

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
