"""The shadow of the gateway's state: accounts."""

from collections.abc import Mapping, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from course_catalog.accounts.operations import AccountFacts, AccountsChanged, store_accounts

OWNER = "gateway"
_CLEAR = text("delete from account_shadow")
_SWAP = (
    text("delete from account a where not exists (select from account_shadow s where s.user_id = a.user_id)"),
    text(
        """insert into account select * from account_shadow
           on conflict (user_id) do update set username = excluded.username, email = excluded.email,
             is_active = excluded.is_active, is_staff = excluded.is_staff, version = excluded.version
           where account is distinct from excluded"""
    ),
)


async def fill_accounts(session: AsyncSession, accounts: Sequence[AccountFacts]) -> None:
    await store_accounts(session, accounts, table="account_shadow")


class AccountShadow:
    """`common.messaging.rebuilding.operations.Shadow` for the gateway."""

    async def clear(self, session: AsyncSession) -> None:
        await session.execute(_CLEAR)

    async def fill(self, session: AsyncSession, of: str, items: Sequence[Mapping[str, object]]) -> None:
        if of == "accounts.user.changed.v1":
            changed = [AccountsChanged.model_validate(item) for item in items]
            await fill_accounts(session, [account for each in changed for account in each.users])

    async def swap(self, session: AsyncSession) -> None:
        for statement in _SWAP:
            await session.execute(statement)
        await self.clear(session)
