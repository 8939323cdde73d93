"""`course_staff`: kept as a wish, and asked of content by command when the learner is known and has another role."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import asyncpg
import orjson

from common.messaging.envelope import COMMANDS
from enrollment.enrollments.changes import int_array
from enrollment.outgoing import Outgoing, record_all

SET_ROLE: Final = "content.set_course_role.v1"

_NOTE: Final = """
update program_course_enrollment c set course_staff = i.wanted, course_staff_at = now()
from unnest($1::text::bigint[], $2::text::bigint[], $3::boolean[]) as i(enrollment_id, course_n, wanted)
where c.program_enrollment_id = i.enrollment_id and c.course_n = i.course_n
"""
_ROLES: Final = """
select a.user_id, i.course_key, a.username, t.role
from unnest($1::text::bigint[], $2::text[]) as i(user_id, course_key)
join account a on a.user_id = i.user_id
left join team_member t on t.course_key = i.course_key and t.user_id = i.user_id and not t.removed
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """Whether whoever has the program enrollment is on the course's team; without an account it waits for one."""

    enrollment_id: int
    user_id: int | None
    course_n: int
    course_key: str
    wanted: bool


async def change_staff(connection: asyncpg.Connection, wishes: Sequence[Wish], *, actor: str | None) -> None:
    """Note the wishes, and ask for what is not so already. An instructor is left one."""
    if not wishes:
        return
    await connection.execute(
        _NOTE,
        int_array(wish.enrollment_id for wish in wishes),
        int_array(wish.course_n for wish in wishes),
        [wish.wanted for wish in wishes],
    )
    await ask_for_roles(connection, wishes, actor=actor)


async def ask_for_roles(connection: asyncpg.Connection, wishes: Sequence[Wish], *, actor: str | None) -> None:
    """One command for each learner and course whose role is another than wished."""
    known = [(wish.user_id, wish) for wish in wishes if wish.user_id is not None]
    if not known:
        return
    rows = await connection.fetch(
        _ROLES, int_array(user_id for user_id, _ in known), [wish.course_key for _, wish in known]
    )
    roles = {(row["user_id"], row["course_key"]): (row["username"], row["role"]) for row in rows}
    commands: dict[tuple[str, str], Outgoing] = {}
    for user_id, wish in known:
        username, role = roles.get((user_id, wish.course_key), (None, None))
        if username is not None and (role is None if wish.wanted else role == "staff"):
            commands[wish.course_key, username] = _command(wish, username, actor)
    await record_all(connection, list(commands.values()))


def _command(wish: Wish, username: str, actor: str | None) -> Outgoing:
    body = {
        "command_id": str(uuid4()),
        "requested_by": {"username": actor, "is_staff": True},
        "course_id": wish.course_key,
        "username": username,
        "role": "staff" if wish.wanted else None,
    }
    return Outgoing(
        type=SET_ROLE,
        exchange=COMMANDS,
        body=orjson.dumps(body),
        aggregate=f"course_role:{wish.course_key}:{username}",
    )
