"""Which accounts have been heard of."""

from collections.abc import Collection
from typing import Final

import asyncpg

from common.resources import Resources

# index account_username
_ALL_KNOWN: Final = """
select not exists (
  select from unnest($1::text[]) as i(name) where not exists (select from account a where a.username = i.name))
"""


async def wait_for_accounts(resources: Resources, usernames: Collection[str]) -> None:
    """Wait a moment for accounts that may be on their way here; before names are called unknown."""
    names = list(usernames)

    async def all_known(pool: asyncpg.Pool = resources.pool) -> bool | None:
        return await pool.fetchval(_ALL_KNOWN, names) or None

    if names:
        await resources.facts.eventually(all_known)
