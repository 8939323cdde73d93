"""Entries of the allowed list come and go; each change is announced with a version that never restarts."""

from collections.abc import Sequence
from typing import Final
from uuid import uuid4

import asyncpg
import orjson

from common.messaging.outbox import MAX_ITEMS
from enrollment.allowed.errors import AlreadyAllowed, NotAllowed
from enrollment.allowed.schemas import Named
from enrollment.events import AllowedChanged
from enrollment.outgoing import Outgoing, record_all

# a removed entry stays as a tombstone, so that its version goes on when it comes back
_ADD: Final = """
insert into enrollment_allowed as w (email, course_key, auto_enroll, actor) values ($1, $2, $3, $4)
on conflict (lower(email), course_key) do update set email = excluded.email, auto_enroll = excluded.auto_enroll,
  actor = excluded.actor, created = now(), removed = false, version = w.version + 1, user_id = null, mode = null,
  cohort = null, attributes = '[]', reason = null, broker_user = null, command_id = null, commanded_at = null
where w.removed
returning w.id, iso(w.created) as created
"""
_REMOVE: Final = """
update enrollment_allowed set removed = true, version = version + 1
where lower(email) = lower($1) and course_key = $2 and not removed returning id
"""
_STATES: Final = """
select lower(email) as email, course_key as course_id, auto_enroll, removed, version from enrollment_allowed
where id = any($1::bigint[]) order by id
"""


async def allow(connection: asyncpg.Connection, named: Named, *, auto_enroll: bool, actor: str) -> dict[str, object]:
    """Add an entry; the course need not exist. Raises `AlreadyAllowed`."""
    row = await connection.fetchrow(_ADD, named.email, named.course_key, auto_enroll, actor)
    if row is None:
        raise AlreadyAllowed(named.email, named.course_id)
    await announce_allowed(connection, [row["id"]])
    return {
        "email": named.email,
        "course_id": named.course_id,
        "auto_enroll": auto_enroll,
        "created": row["created"],
        "user": None,
    }


async def disallow(connection: asyncpg.Connection, named: Named) -> None:
    """Remove an entry. Raises `NotAllowed`."""
    found = await connection.fetchval(_REMOVE, named.email, named.course_key)
    if found is None:
        raise NotAllowed(named.email, named.course_id)
    await announce_allowed(connection, [found])


async def announce_allowed(connection: asyncpg.Connection, ids: Sequence[int]) -> None:
    """Announce the entries as they are now, inside the transaction that has changed (and so locked) them."""
    entries = [dict(row) for row in await connection.fetch(_STATES, list(ids))] if ids else []
    parts = [entries[start : start + MAX_ITEMS] for start in range(0, len(entries), MAX_ITEMS)]
    await record_all(
        connection,
        [
            Outgoing(
                type=AllowedChanged.type,
                body=orjson.dumps({"entries": part}),
                aggregate=f"allowed:{uuid4()}",
                batch_field=AllowedChanged.batch_field,
                items=len(part),
            )
            for part in parts
        ],
    )
