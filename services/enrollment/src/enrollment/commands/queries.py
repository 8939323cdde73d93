"""Commands heard before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

_COMMANDS: Final = """
select c.broker_user, c.command_id, c.digest, c.answer
from unnest($1::text[], $2::text[]) as i(broker_user, command_id)
join command c on c.broker_user = i.broker_user and c.command_id = i.command_id
"""


@dataclass(frozen=True, slots=True)
class StoredCommand:
    """A command heard before, with its answer as JSON text; without one while some of its items wait."""

    digest: bytes
    answer: str | None


async def find_commands(
    connection: asyncpg.Connection, identities: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], StoredCommand]:
    """Those of these commands that were heard before."""
    rows = await connection.fetch(_COMMANDS, [one for one, _ in identities], [other for _, other in identities])
    return {(row["broker_user"], row["command_id"]): StoredCommand(bytes(row["digest"]), row["answer"]) for row in rows}
