"""Keeping the copy of accounts: the latest version of each wins."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from common.database import raw
from common.messaging import Message

_KEEP = """
insert into account as a (user_id, username, email, name, is_active, is_staff, version)
select * from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::boolean[], $7::bigint[])
  as u(user_id, username, email, name, is_active, is_staff, version) order by user_id
on conflict (user_id) do update
  set username = excluded.username, email = excluded.email, name = excluded.name, is_active = excluded.is_active,
      is_staff = excluded.is_staff, version = excluded.version
  where excluded.version > a.version"""


class _Heard(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class UserState(_Heard):
    user_id: int
    username: str
    email: str
    name: str
    is_active: bool
    is_staff: bool
    version: int


class UsersChanged(_Heard):
    """`accounts.user.changed.v1`"""

    users: list[UserState]


async def keep_accounts(session: AsyncSession, messages: Sequence[Message]) -> None:
    """Take over what the accounts' owner announced, a batch in one statement."""
    newest: dict[int, UserState] = {}
    for message in messages:
        for user in message.parse(UsersChanged).users:
            held = newest.get(user.user_id)
            if held is None or user.version > held.version:
                newest[user.user_id] = user
    users = list(newest.values())
    if not users:
        return
    connection = await raw(session)
    await connection.execute(
        _KEEP,
        [user.user_id for user in users],
        [user.username for user in users],
        [user.email for user in users],
        [user.name for user in users],
        [user.is_active for user in users],
        [user.is_staff for user in users],
        [user.version for user in users],
    )
