"""The same windows in Redis, for several gateways. Imported only where Redis is configured: loading it takes long."""

import asyncio
import time

import structlog
from limits.aio.storage import RedisStorage
from redis.exceptions import RedisError

from gateway.limits.windows import Count, SharedUnavailable

log = structlog.get_logger()


class RedisWindows:
    """A shared count. Raises `SharedUnavailable` within 50 ms; then Redis is left alone for a second."""

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
