"""What is in the parking lot."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from common.messaging.parking.errors import ParkedMessageNotFound
from common.messaging.parking.models import ParkedAudit, ParkedMessage


async def list_parked(
    session: AsyncSession,
    *,
    state: str = "parked",
    message_type: str | None = None,
    queue: str | None = None,
    fingerprint: str | None = None,
    after: UUID | None = None,
    limit: int = 100,
) -> Sequence[ParkedMessage]:
    """Newest last; *after* is the id of the last one seen."""
    query = select(ParkedMessage).where(ParkedMessage.state == state)
    for column, value in (
        (ParkedMessage.type, message_type),
        (ParkedMessage.queue, queue),
        (ParkedMessage.fingerprint, fingerprint),
    ):
        if value is not None:
            query = query.where(column == value)
    if after is not None:
        seen = await get_parked(session, after)
        query = query.where(tuple_(ParkedMessage.parked_at, ParkedMessage.id) > (seen.parked_at, seen.id))
    query = query.order_by(ParkedMessage.parked_at, ParkedMessage.id).limit(limit)
    return (await session.scalars(query)).all()


async def get_parked(session: AsyncSession, parked_id: UUID, *, lock: bool = False) -> ParkedMessage:
    """Raises `ParkedMessageNotFound`."""
    query = select(ParkedMessage).where(ParkedMessage.id == parked_id)
    if lock:
        query = query.with_for_update()
    if found := await session.scalar(query):
        return found
    raise ParkedMessageNotFound


async def list_audit(session: AsyncSession, parked_id: UUID) -> Sequence[ParkedAudit]:
    """What was done with one message, oldest first."""
    query = select(ParkedAudit).where(ParkedAudit.parked_id == parked_id).order_by(ParkedAudit.id)
    return (await session.scalars(query)).all()
