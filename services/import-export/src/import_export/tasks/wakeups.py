"""Workers sleep until a job is for them: `NOTIFY` wakes them, whichever process has it sent."""

import asyncio
import contextlib
from collections.abc import Iterable
from enum import StrEnum

import asyncpg
import structlog
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from common.database import DATABASE_AWAY

CHANNEL = "import_export_jobs"
_NOTIFY = text("select pg_notify('import_export_jobs', t) from unnest(cast(:topics as text[])) t")
_NOTIFY_END = text("select pg_notify('import_export_jobs', :topic), pg_notify('facts', '')")

log = structlog.get_logger()


class Topic(StrEnum):
    """What may have changed, and so who has to look: each look is a statement or two, and most changes concern one."""

    IMPORT = "import"
    EXPORT = "export"
    INSPECTION = "inspection"
    PUSH = "push"
    TIMERS = "timers"
    LITTER = "litter"


async def announce_change(session: AsyncSession, *topics: Topic) -> None:
    """Wake those whom these topics concern, when the caller's transaction commits."""
    await session.execute(_NOTIFY, {"topics": [topic.value for topic in topics]})


async def announce_end(session: AsyncSession, topic: Topic) -> None:
    """Wake also the requests that wait for the end of a job, in whichever process."""
    await session.execute(_NOTIFY_END, {"topic": topic.value})


class Wakeups:
    """One LISTEN connection of a process; a lost one is opened again, and wakes everybody to look for themselves."""

    def __init__(self, url: SecretStr, *, application: str) -> None:
        self._url, self._application = url, application
        self._changed = {topic: asyncio.Event() for topic in Topic}

    def current(self, topic: Topic) -> asyncio.Event:
        """Take this before looking for work: a notification between look and wait is then not missed."""
        return self._changed[topic]

    async def wait(self, changed: asyncio.Event, seconds: float) -> None:
        """Until notified since *changed* was taken, at most *seconds*."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await changed.wait()

    def _heard(self, _connection: object, _pid: object, _channel: object, said: object) -> None:
        try:
            self._wake([Topic(str(said))])
        except ValueError:
            # a release that knows other topics
            self._wake(Topic)

    def _wake(self, topics: Iterable[Topic]) -> None:
        for topic in topics:
            changed, self._changed[topic] = self._changed[topic], asyncio.Event()
            changed.set()

    async def listen(self) -> None:
        """Run for ever."""
        while True:
            try:
                await self._listen_once()
            except DATABASE_AWAY as error:
                log.warning("wakeups_lost", error=str(error))
            self._wake(Topic)
            await asyncio.sleep(1)

    async def _listen_once(self) -> None:
        connection = await asyncpg.connect(
            self._url.get_secret_value(), timeout=5, server_settings={"application_name": self._application}
        )
        lost = asyncio.Event()
        connection.add_termination_listener(lambda *_: lost.set())
        try:
            await connection.add_listener(CHANNEL, self._heard)
            self._wake(Topic)
            await lost.wait()
        finally:
            with contextlib.suppress(*DATABASE_AWAY):
                await connection.close(timeout=1)
