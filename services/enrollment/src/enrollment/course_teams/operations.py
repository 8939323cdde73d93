"""Keep the copy of course teams; the newest version of each member wins."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

import asyncpg

from enrollment.course_copies.operations import count_seats
from enrollment.course_teams.schemas import MemberHeard, TeamChanged

_UPSERT: Final = """
insert into team_member as t (course_key, user_id, username, role, version, removed)
select * from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::boolean[])
on conflict (course_key, user_id) do update
  set username = excluded.username, role = excluded.role, version = excluded.version, removed = excluded.removed
where excluded.version > t.version
returning course_key
"""
_LIMITED: Final = """
select s.course_n from seat s join course c on c.n = s.course_n where c.key = any($1::text[]) order by s.course_n
"""


async def store_teams(connection: asyncpg.Connection, teams: Iterable[TeamChanged], *, recount_at: datetime) -> None:
    """Store what is newer than what is known; the team takes no seats, so limited courses are counted again."""
    newest: dict[tuple[str, int], MemberHeard] = {}
    for team in teams:
        key = team.course_id
        for member in team.members:
            known = newest.get((key, member.user_id))
            if known is None or known.version < member.version:
                newest[key, member.user_id] = member
    if not newest:
        return
    ordered = sorted(newest.items(), key=lambda entry: entry[0])
    rows = await connection.fetch(
        _UPSERT,
        [key for (key, _), _ in ordered],
        [user_id for (_, user_id), _ in ordered],
        [member.username for _, member in ordered],
        [member.role for _, member in ordered],
        [member.version for _, member in ordered],
        [member.removed for _, member in ordered],
    )
    changed = sorted({row["course_key"] for row in rows})
    if limited := [row["course_n"] for row in await connection.fetch(_LIMITED, changed)]:
        await count_seats(connection, limited, again_at=recount_at)
