"""Enrollments and the allowed list as their events say them, ended and removed ones too, in the order of their ids."""

from collections.abc import Sequence
from typing import Final

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from common.database import raw
from common.messaging.announcing import Item, Source, announcing
from enrollment.events import (
    AllowedChanged,
    AllowedEntry,
    AnnounceAgain,
    EnrollmentAnnounced,
    EnrollmentChange,
    EnrollmentsChanged,
)

COMMAND: Final = "enrollment.announce.v1"

# indexes enrollment_id, enrollment_history_learner
_ENROLLMENTS: Final = """
select e.id, e.user_id, coalesce(a.username, '') as username, c.key as course_id, e.mode, e.is_active, e.version,
  coalesce(h.at, e.created) as changed_at
from (select * from enrollment where id > $1 order by id limit $2) e
join course c on c.n = e.course_n left join account a on a.user_id = e.user_id
left join enrollment_history h on h.user_id = e.user_id and h.course_n = e.course_n and h.version = e.version
order by e.id
"""
# by primary key
_ALLOWED: Final = """
select id, lower(email) as email, course_key as course_id, auto_enroll, removed, version from enrollment_allowed
where id > $1 order by id limit $2
"""


async def read_enrollments(session: AsyncSession, after: str, limit: int) -> Sequence[tuple[str, Item]]:
    rows = await (await raw(session)).fetch(_ENROLLMENTS, int(after or 0), limit)
    return [
        (str(row["id"]), EnrollmentsChanged(changes=(EnrollmentChange(**_state(row)),)).model_dump(mode="json"))
        for row in rows
    ]


async def read_allowed(session: AsyncSession, after: str, limit: int) -> Sequence[tuple[str, Item]]:
    rows = await (await raw(session)).fetch(_ALLOWED, int(after or 0), limit)
    return [
        (str(row["id"]), AllowedChanged(entries=(AllowedEntry(**_state(row)),)).model_dump(mode="json")) for row in rows
    ]


def _state(row: asyncpg.Record) -> dict[str, object]:
    return {name: value for name, value in row.items() if name != "id"}


announce: Final = announcing(
    (Source(EnrollmentsChanged.type, read_enrollments), Source(AllowedChanged.type, read_allowed)),
    event=EnrollmentAnnounced,
    again=AnnounceAgain,
)
