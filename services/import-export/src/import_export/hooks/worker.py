"""Fetch what was pushed, one commit at a time and in order per hook, under a lease that others may take over."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from common.blobs import take_file
from common.resources import Resources
from import_export.hooks.fetching import run_checkout
from import_export.hooks.models import Hook, Push
from import_export.hooks.operations import archive_name, give_up, hand_back, hand_over, try_again, upload_key
from import_export.hooks.orders import Fetched, Order, Refused
from import_export.hooks.queries import claim_push, find_held_push, renew_push, seconds_to_next_push
from import_export.settings import Settings
from import_export.spool import spool_folder
from import_export.tasks.wakeups import Topic, Wakeups, announce_change
from import_export.tasks.worker import IDLE_SECONDS, TRANSIENT, LeaseLost

log = structlog.get_logger()


@dataclass(frozen=True)
class PushWorker:
    """Carries out pushes; what it hands over is an import like any other."""

    resources: Resources
    settings: Settings
    wakeups: Wakeups

    async def run(self) -> None:
        """Run for ever."""
        worker = uuid4()
        while True:
            changed = self.wakeups.current(Topic.PUSH)
            try:
                if not await self.step(worker):
                    await self.wakeups.wait(changed, await self._patience())
            except TRANSIENT as error:
                log.warning("pushes_interrupted", error=repr(error))
                await asyncio.sleep(1)

    async def step(self, worker: UUID) -> bool:
        """Carry out the next push; False when there is none."""
        async with self.resources.sessions.begin() as session:
            push = await claim_push(session, worker=worker, seconds=self.settings.job_lease_seconds)
            hook = await session.get(Hook, push.hook_id) if push else None
        if push is None or hook is None:
            return False
        try:
            await self._carry_out(hook, push, worker)
        except LeaseLost:
            log.info("push_abandoned", push_id=str(push.id))
        except asyncio.CancelledError:
            await asyncio.shield(self._hand_back(push, worker))
            raise
        return True

    async def _patience(self) -> float:
        async with self.resources.sessions() as session:
            left = await seconds_to_next_push(session)
        return IDLE_SECONDS if left is None else min(IDLE_SECONDS, max(0.1, left + 0.05))

    async def _carry_out(self, hook: Hook, push: Push, worker: UUID) -> None:
        keeping = asyncio.create_task(self._keep(push, worker))
        try:
            with spool_folder(self.settings, "push-") as folder:
                await self._fetch(hook, push, worker, folder)
        except Refused as refusal:
            await self._refused(push, worker, refusal)
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _fetch(self, hook: Hook, push: Push, worker: UUID, folder: Path) -> None:
        target = folder / "course.tar.gz"
        order = Order(
            repository=hook.repository,
            branch=hook.branch,
            sha=push.sha,
            path=hook.path,
            target=str(target),
            most_bytes=self.settings.hook_max_bytes,
            most_files=self.settings.max_members,
            allow_internal=self.settings.hook_internal_urls,
        )
        fetched = await run_checkout(order, self.settings)
        digest = await asyncio.to_thread(_digest, target)
        key = upload_key(push.task_id)
        await take_file(self.resources.blobs, key, target)
        if not await self._handed_over(hook, push, worker, fetched, digest):
            await self.resources.blobs.delete(key)

    async def _handed_over(self, hook: Hook, push: Push, worker: UUID, fetched: Fetched, digest: str) -> bool:
        async with self._row(push, worker) as (session, row):
            return await hand_over(
                session, row, fetched, digest=digest, filename=archive_name(hook, push), now=datetime.now(UTC)
            )

    async def _refused(self, push: Push, worker: UUID, refusal: Refused) -> None:
        now = datetime.now(UTC)
        async with self._row(push, worker) as (session, row):
            if refusal.transient and row.attempts < self.settings.job_attempts:
                try_again(row, message=refusal.message, now=now)
                await announce_change(session, Topic.PUSH)
            else:
                log.info("push_failed", push_id=str(push.id), code=refusal.code, message=refusal.message)
                await give_up(session, row, code=refusal.code, message=refusal.message, now=now)

    async def _hand_back(self, push: Push, worker: UUID) -> None:
        with contextlib.suppress(LeaseLost, *TRANSIENT):
            async with asyncio.timeout(5), self._row(push, worker) as (session, row):
                hand_back(row)
                await announce_change(session, Topic.PUSH)

    async def _keep(self, push: Push, worker: UUID) -> None:
        """Hold the lease while the fetch lasts."""
        while True:
            await asyncio.sleep(self.settings.job_lease_seconds / 3)
            with contextlib.suppress(*TRANSIENT):
                async with self.resources.sessions.begin() as session:
                    await renew_push(session, push.id, worker=worker, seconds=self.settings.job_lease_seconds)

    @asynccontextmanager
    async def _row(self, push: Push, worker: UUID) -> AsyncIterator[tuple[AsyncSession, Push]]:
        """The push's row, locked, in a transaction of its own. Raises `LeaseLost`."""
        async with self.resources.sessions.begin() as session:
            row = await find_held_push(session, push.id, worker=worker)
            if row is None:
                raise LeaseLost
            yield session, row


def _digest(path: Path) -> str:
    with path.open("rb") as archive:
        return hashlib.file_digest(archive, "sha256").hexdigest()
