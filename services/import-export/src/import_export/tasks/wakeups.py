"""Workers sleep until a job is for them: `NOTIFY` wakes them, whichever process has it sent."""

import asyncio
import contextlib

import asyncpg
import structlog
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from common.database import DATABASE_AWAY

CHANNEL = "import_export_jobs"
_NOTIFY = text("select pg_notify('import_export_jobs', ''), pg_notify('facts', '')")

log = structlog.get_logger()


async def announce_change(session: AsyncSession) -> None:
    """Wake workers, and requests that wait for a job, when the caller's transaction commits."""
    await session.execute(_NOTIFY)


class Wakeups:
    """One LISTEN connection of a process; a lost one is opened again, and wakes everybody to look for themselves."""

    def __init__(self, url: SecretStr, *, application: str) -> None:
        self._url, self._application = url, application
        self._changed = asyncio.Event()

    def current(self) -> asyncio.Event:
        """Take this before looking for work: a notification between look and wait is then not missed."""
        return self._changed

    async def wait(self, changed: asyncio.Event, seconds: float) -> None:
        """Until notified since *changed* was taken, at most *seconds*."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await changed.wait()

    def _heard(self, *_: object) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def listen(self) -> None:
        """Run for ever."""
        while True:
            try:
                await self._listen_once()
            except DATABASE_AWAY as error:
                log.warning("wakeups_lost", error=str(error))
            self._heard()
            await asyncio.sleep(1)

    async def _listen_once(self) -> None:
        connection = await asyncpg.connect(
            self._url.get_secret_value(), timeout=5, server_settings={"application_name": self._application}
        )
        lost = asyncio.Event()
        connection.add_termination_listener(lambda *_: lost.set())
        try:
            await connection.add_listener(CHANNEL, self._heard)
            self._heard()
            await lost.wait()
        finally:
            with contextlib.suppress(*DATABASE_AWAY):
                await connection.close(timeout=1)
