"""Forgetting a person: their names give way to the replacement in everything this service owns."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from common.database import raw
from common.messaging import Message
from content.policies.operations import forget_people
from content.teams.operations import retire_member

# A person nobody has announced here yet becomes a row too: older news with the former name comes too late then.
_ACCOUNT = """
insert into account as a (user_id, username, email, name, is_active, is_staff, version)
select u.user_id, u.username, u.email, '', false, false, u.version
from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[]) as u(user_id, username, email, version) order by 1
on conflict (user_id) do update
  set username = excluded.username, email = excluded.email, name = '', is_active = false, is_staff = false,
      version = excluded.version
  where excluded.version >= a.version"""
# Indexes version_edited_by and version_editor: a version made without an account of its own knows the name alone.
_VERSIONS = """
update version v set editor = u.username
from unnest($1::bigint[], $2::text[], $3::text[]) as u(user_id, former, username)
where v.edited_by = u.user_id and v.editor is distinct from u.username"""
_NAMED_VERSIONS = """
update version v set editor = u.username
from unnest($1::text[], $2::text[]) as u(former, username) where v.edited_by is null and v.editor = u.former"""
# The courses are read whole: people retire seldom, and courses are few beside versions.
_CREATORS = """
update course c set creator = u.username
from unnest($1::bigint[], $2::text[], $3::text[]) as u(user_id, former, username)
where c.created_by = u.user_id or (c.created_by is null and c.creator = u.former)"""


class _Heard(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class RetiredUser(_Heard):
    user_id: int
    former_username: str
    username: str
    email: str
    version: int


class UsersRetired(_Heard):
    """`accounts.user.retired.v1`"""

    users: list[RetiredUser]


async def retire_accounts(session: AsyncSession, messages: Sequence[Message]) -> None:
    """Replace names and e-mails; roles in teams end, and the teams are announced without the name."""
    retired = {user.user_id: user for message in messages for user in message.parse(UsersRetired).users}
    if not retired:
        return
    users = list(retired.values())
    ids, former = [user.user_id for user in users], [user.former_username for user in users]
    names = [user.username for user in users]
    connection = await raw(session)
    await connection.execute(_ACCOUNT, ids, names, [user.email for user in users], [user.version for user in users])
    await connection.execute(_VERSIONS, ids, former, names)
    await connection.execute(_NAMED_VERSIONS, former, names)
    await connection.execute(_CREATORS, ids, former, names)
    await forget_people(connection, list(zip(ids, former, names, strict=True)))
    for user in sorted(users, key=lambda user: user.user_id):
        await retire_member(session, connection, user_id=user.user_id, username=user.username)
