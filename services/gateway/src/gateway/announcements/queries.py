"""Accounts as their event says them, in the order of their ids; retired ones under their new names."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from common.messaging.announcing import Item, Source, announcing
from gateway.accounts.models import User
from gateway.events import AnnounceAgain, GatewayAnnounced, UsersChanged

COMMAND = "gateway.announce.v1"


async def read_users(session: AsyncSession, after: str, limit: int) -> Sequence[tuple[str, Item]]:
    """Each user a body of its own; the index is the primary key's."""
    query = select(User).where(User.user_id > int(after or 0)).order_by(User.user_id).limit(limit)
    return [
        (str(user.user_id), UsersChanged(users=[user.state()]).model_dump(mode="json"))
        for user in await session.scalars(query)
    ]


announce = announcing((Source(UsersChanged.type, read_users),), event=GatewayAnnounced, again=AnnounceAgain)
