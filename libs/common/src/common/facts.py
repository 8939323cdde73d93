"""No refusal from a first miss: wait a moment for facts that were announced but not heard here yet."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
import structlog
from pydantic import SecretStr

from common.database import DATABASE_AWAY

CHANNEL = "facts"
NOTIFY = "select pg_notify('facts', '')"
MAX_WAITERS = 200
PATIENCE = 0.5

log = structlog.get_logger()
# The last is what asyncpg says to a statement that meets a connection being torn down.
_LOST = DATABASE_AWAY
T = TypeVar("T")


class Facts:
    """Wakes readers when a consumer of this service, in whichever process, has committed something.

    A lost LISTEN connection costs nothing but patience: waiting readers read once more when their time is over.
    """

    def __init__(self, url: SecretStr, *, application: str) -> None:
        self._url, self._application = url, application
        self._changed = asyncio.Event()
        self._waiters = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def _heard(self, *_: object) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _listen(self) -> None:
        while True:
            try:
                connection = await asyncpg.connect(
                    self._url.get_secret_value(),
                    timeout=5,
                    server_settings={"application_name": f"{self._application} facts"},
                )
            except _LOST as error:
                log.warning("facts_listen_failed", error=str(error))
                await asyncio.sleep(1)
                continue
            lost = asyncio.Event()
            connection.add_termination_listener(lambda *_, lost=lost: lost.set())
            try:
                await connection.add_listener(CHANNEL, self._heard)
                await lost.wait()
            except _LOST as error:
                log.warning("facts_listen_lost", error=str(error))
            finally:
                with contextlib.suppress(*_LOST):
                    await connection.close(timeout=1)

    async def eventually(self, read: Callable[[], Awaitable[T | None]], *, timeout: float = PATIENCE) -> T | None:
        """What *read* finds, asked again whenever facts arrive, for at most *timeout* seconds.

        Only for answers that would be negative because another service's fact may still be on its way. The number of
        waiters is bounded: a flood of requests for things that do not exist is answered at once.
        """
        changed = self._changed  # taken before the read: a notification between read and wait is not missed
        found = await read()
        if found is not None or self._waiters >= MAX_WAITERS:
            return found
        self._waiters += 1
        try:
            deadline = asyncio.get_running_loop().time() + timeout
            while found is None:
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0:
                    break
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left):
                        await changed.wait()
                changed = self._changed
                found = await read()
            return found
        finally:
            self._waiters -= 1
