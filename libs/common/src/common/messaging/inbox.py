"""The receiving half: that a message was handled is stored in the transaction of its effect."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# First in the handler's transaction: a concurrent duplicate waits here for that transaction's end. Sorted, so that two
# batches with the same duplicates cannot wait for each other. Readers who miss a fact are woken at commit.
_REMEMBER = text("""
with fresh as (
  insert into inbox (consumer, message_id)
  select :consumer, id from unnest(cast(:ids as uuid[])) as id order by id
  on conflict do nothing returning message_id)
select message_id, pg_notify('facts', '')::text from fresh""")


async def remember(session: AsyncSession, consumer: str, ids: Iterable[UUID]) -> set[UUID]:
    """Which of *ids* this consumer has never handled; they count as handled if the transaction commits."""
    rows = await session.execute(_REMEMBER, {"consumer": consumer, "ids": list(ids)})
    return {row[0] for row in rows}
