"""A request that finds no account for an address, and an account that finds nothing waiting, must not both commit."""

from typing import Final

import asyncpg

# Whoever names addresses holds this shared from before they look; the consumer of accounts takes it alone between
# storing and looking.
_LOCK: Final = 0x454D4149
_SHARED: Final = f"select pg_advisory_xact_lock_shared({_LOCK})"
_ALONE: Final = f"select pg_advisory_xact_lock({_LOCK})"


async def exclude_new_accounts(connection: asyncpg.Connection) -> None:
    """From here to commit no account appears unnoticed."""
    await connection.execute(_SHARED)


async def exclude_new_addresses(connection: asyncpg.Connection) -> None:
    """Whoever names addresses from here on waits, and sees the accounts of this transaction."""
    await connection.execute(_ALONE)
