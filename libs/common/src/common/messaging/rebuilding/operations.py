"""Asking, receiving, swapping.

Who handles live traffic calls `is_running` first and, while it is, writes into the shadow too. That takes a share lock
on the rebuild's row, which a page and the swap lock for themselves: an event is either in both tables before the swap
or in the live one after it, and never lost in between.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID, uuid4

import structlog
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from common.messaging.announcing import AskAnnounce
from common.messaging.envelope import Handler, Message
from common.messaging.outbox import record

log = structlog.get_logger()

_START = text(
    """insert into rebuild (owner, id, requested_by) values (:owner, :id, :by)
       on conflict (owner) do update set id = excluded.id, requested_by = excluded.requested_by, started_at = now(),
         received = 0, parts = null, finished_at = null"""
)
_RUNNING = text("select id from rebuild where owner = :owner and finished_at is null for share")
_TAKE = text("select id, received, parts from rebuild where owner = :owner and finished_at is null for update")
_NOTE = text("update rebuild set received = :received, parts = :parts where owner = :owner")
_FINISH = text("update rebuild set finished_at = now() where owner = :owner")
_LIST = text("select owner, id, requested_by, started_at, received, parts, finished_at from rebuild order by owner")


class StatePart(BaseModel):
    """A page of an owner's state, as an asker reads it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    rebuild: UUID
    part: int
    of: str | None = None
    items: list[dict[str, object]]
    end: bool = False
    parts: int | None = None


class RebuildState(BaseModel):
    """How far a rebuild is."""

    owner: str
    id: UUID
    requested_by: str
    started_at: datetime
    received: int
    parts: int | None
    finished_at: datetime | None


class Shadow(Protocol):
    """The tables that one owner's state goes into, and what they become."""

    async def clear(self, session: AsyncSession) -> None:
        """Begin with nothing."""

    async def fill(self, session: AsyncSession, of: str, items: Sequence[Mapping[str, object]]) -> None:
        """Keep the newest version of each; *of* is the type of event whose bodies the items are."""

    async def swap(self, session: AsyncSession) -> None:
        """Make the projection what the shadow is, and the shadow empty."""


@dataclass(frozen=True, slots=True)
class Projection:
    """What one service keeps of another's state."""

    owner: str
    ask: type[AskAnnounce]
    queue: str
    shadow: Shadow


async def start(session: AsyncSession, projection: Projection, *, by: str) -> UUID:
    """Ask the owner to say everything again; an earlier asking that is not done yet is given up."""
    number = uuid4()
    await session.execute(_START, {"owner": projection.owner, "id": number, "by": by})
    await projection.shadow.clear(session)
    request = projection.ask(rebuild=number, queue=projection.queue)
    record(session, request, aggregate=f"rebuild {number}", version=0)
    return number


async def is_running(session: AsyncSession, owner: str) -> bool:
    """Whether live facts of *owner* must go into its shadow too; stays so until the caller's transaction ends."""
    return (await session.execute(_RUNNING, {"owner": owner})).first() is not None


async def list_rebuilds(session: AsyncSession) -> Sequence[RebuildState]:
    return [RebuildState.model_validate(dict(row)) for row in (await session.execute(_LIST)).mappings()]


def receiving(projection: Projection) -> Handler:
    """The handler of an owner's `<service>.announced.v1`."""

    async def receive(session: AsyncSession, messages: Sequence[Message]) -> None:
        row = (await session.execute(_TAKE, {"owner": projection.owner})).first()
        if row is None:
            return
        received, parts = row.received, row.parts
        for message in messages:
            page = message.parse(StatePart)
            if page.rebuild != row.id:
                continue
            if page.end:
                parts = page.parts
                continue
            await projection.shadow.fill(session, page.of or "", page.items)
            received += 1
        await session.execute(_NOTE, {"owner": projection.owner, "received": received, "parts": parts})
        # several workers share the queue, so the last page is not always the last to be done
        if parts is not None and received >= parts:
            await projection.shadow.swap(session)
            await session.execute(_FINISH, {"owner": projection.owner})
            log.info("projection_rebuilt", owner=projection.owner, parts=parts)

    return receive
