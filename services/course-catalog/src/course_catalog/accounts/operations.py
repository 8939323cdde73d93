"""Hear about accounts."""

from collections.abc import Sequence

import orjson
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from course_catalog.courses.operations import take_turn


class AccountFacts(BaseModel):
    """One member of `accounts.user.changed.v1`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    user_id: int
    username: str
    email: str = ""
    is_active: bool = True
    is_staff: bool = False
    version: int


class AccountsChanged(BaseModel):
    """`accounts.user.changed.v1`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    users: list[AccountFacts]


# ordered, so that two consumers lock rows in the same order
_UPSERT = """insert into {table} as account (user_id, username, email, is_active, is_staff, version)
       select * from jsonb_to_recordset(cast(cast(:rows as text) as jsonb))
         as t(user_id bigint, username text, email text, is_active boolean, is_staff boolean, version bigint)
       order by user_id
       on conflict (user_id) do update set username = excluded.username, email = excluded.email,
         is_active = excluded.is_active, is_staff = excluded.is_staff, version = excluded.version
       where excluded.version > account.version"""
_STATEMENTS = {table: text(_UPSERT.format(table=table)) for table in ("account", "account_shadow")}


async def store_accounts(session: AsyncSession, accounts: Sequence[AccountFacts], *, table: str = "account") -> None:
    """Keep the newest version of each account."""
    newest: dict[int, AccountFacts] = {}
    for account in accounts:
        known = newest.get(account.user_id)
        if known is None or account.version > known.version:
            newest[account.user_id] = account
    if newest:
        rows = orjson.dumps([account.model_dump() for account in newest.values()]).decode()
        await session.execute(_STATEMENTS[table], {"rows": rows})


class Retired(BaseModel):
    """One person who is forgotten."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    user_id: int
    former_username: str | None = None
    former_email: str | None = None
    username: str
    email: str
    version: int


class AccountsRetired(BaseModel):
    """`accounts.user.retired.v1`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    users: list[Retired]


# whoever invited them by name or address (index course_own_invitees), and whoever they changed settings as
# (course_own_changed_by)
_FORGET = (
    text(
        """update course_own set invitees = array(select name from unnest(invitees) name where name <> all(:names))
           where invitees && cast(:names as text[])"""
    ),
    text("update course_own set changed_by = :username where changed_by = :former"),
    text("delete from course_allowed where email = any(:names)"),
)


async def retire_accounts(session: AsyncSession, retired: Sequence[Retired]) -> None:
    """Keep the replacement names, and forget the real ones wherever the catalogue has them."""
    accounts = [
        AccountFacts(user_id=one.user_id, username=one.username, email=one.email, is_active=False, version=one.version)
        for one in retired
    ]
    await store_accounts(session, accounts)
    # whoever changes a listing rule has read it with the turn taken: a name taken away meanwhile would come back
    await take_turn(session)
    for one in sorted(retired, key=lambda one: one.user_id):
        names = [name.casefold() for name in (one.former_username, one.former_email) if name]
        await session.execute(_FORGET[0], {"names": names})
        await session.execute(_FORGET[2], {"names": names})
        if one.former_username:
            await session.execute(_FORGET[1], {"username": one.username, "former": one.former_username})
