"""Keep the copies of accounts; whoever was waited for is enrolled when the account appears."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import asyncpg

from enrollment.account_copies.schemas import UserHeard
from enrollment.cohorts.operations import join_waiting_cohorts
from enrollment.commands.waiting import enroll_waiting

_UPSERT: Final = """
insert into account as a (user_id, username, email, name, is_active, is_staff, country, version)
select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::boolean[], $7::text[],
  $8::bigint[])
on conflict (user_id) do update set username = excluded.username, email = excluded.email, name = excluded.name,
  is_active = excluded.is_active, is_staff = excluded.is_staff, country = excluded.country, version = excluded.version
where excluded.version > a.version
returning a.user_id
"""


async def store_accounts(connection: asyncpg.Connection, users: Iterable[UserHeard], *, now: datetime) -> int:
    """Store what is newer than what is known; returns how many were. Raises `RacedError`."""
    newest: dict[int, UserHeard] = {}
    for user in users:
        if user.user_id not in newest or newest[user.user_id].version < user.version:
            newest[user.user_id] = user
    if not newest:
        return 0
    ordered = [newest[user_id] for user_id in sorted(newest)]
    rows = await connection.fetch(
        _UPSERT,
        [user.user_id for user in ordered],
        [user.username for user in ordered],
        [user.email for user in ordered],
        [user.name or "" for user in ordered],
        [user.is_active for user in ordered],
        [user.is_staff for user in ordered],
        [user.country for user in ordered],
        [user.version for user in ordered],
    )
    if rows:
        user_ids = [row["user_id"] for row in rows]
        await enroll_waiting(connection, user_ids, now=now)
        await join_waiting_cohorts(connection, user_ids)
    return len(rows)
