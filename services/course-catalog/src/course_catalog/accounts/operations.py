"""Hear about accounts."""

from collections.abc import Sequence

import orjson
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


class AccountFacts(BaseModel):
    """One member of `accounts.user.changed.v1`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    user_id: int
    username: str
    is_active: bool = True
    is_staff: bool = False
    version: int


class AccountsChanged(BaseModel):
    """`accounts.user.changed.v1`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    users: list[AccountFacts]


# ordered, so that two consumers lock rows in the same order
_UPSERT = text(
    """insert into account (user_id, username, is_active, is_staff, version)
       select * from jsonb_to_recordset(cast(cast(:rows as text) as jsonb))
         as t(user_id bigint, username text, is_active boolean, is_staff boolean, version bigint) order by user_id
       on conflict (user_id) do update set username = excluded.username, is_active = excluded.is_active,
         is_staff = excluded.is_staff, version = excluded.version
       where excluded.version > account.version"""
)


async def store_accounts(session: AsyncSession, accounts: Sequence[AccountFacts]) -> None:
    """Keep the newest version of each account."""
    newest: dict[int, AccountFacts] = {}
    for account in accounts:
        known = newest.get(account.user_id)
        if known is None or account.version > known.version:
            newest[account.user_id] = account
    if newest:
        rows = orjson.dumps([account.model_dump() for account in newest.values()]).decode()
        await session.execute(_UPSERT, {"rows": rows})
