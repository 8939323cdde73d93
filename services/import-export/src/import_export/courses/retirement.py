"""Forgetting a person: their name gives way to the replacement in tasks, unfinished uploads and copies."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from import_export.courses.operations import Heard

# Somebody nobody has announced here yet becomes a row too: older news with the former name comes too late then.
_ACCOUNT = text(
    """insert into account as a (user_id, username, is_active, version)
       select u.user_id, u.username, false, u.version
       from unnest(cast(:ids as bigint[]), cast(:names as text[]), cast(:versions as bigint[]))
         as u(user_id, username, version) order by 1
       on conflict (user_id) do update
         set username = excluded.username, is_active = false, version = excluded.version
         where excluded.version >= a.version"""
)
_TEAMS = text(
    """update course_team t set username = u.username
       from unnest(cast(:ids as bigint[]), cast(:names as text[])) as u(user_id, username)
       where t.user_id = u.user_id"""
)
# Index job_requester. A command still to be answered is repeated as it was sent, or content would refuse it as another
# one under the same id; it forgets its sender with its answer.
_JOBS = text(
    """update job j
       set requested_by = jsonb_set(j.requested_by, '{username}', to_jsonb(u.username)),
           command = case when j.phase = 'done' then null else j.command end
       from unnest(cast(:ids as bigint[]), cast(:names as text[])) as u(user_id, username)
       where j.requester_id = u.user_id"""
)
_HOOKS = text(
    """update hook h
       set requested_by = jsonb_set(h.requested_by, '{username}', to_jsonb(u.username)), is_active = false
       from unnest(cast(:ids as bigint[]), cast(:names as text[])) as u(user_id, username)
       where h.requester_id = u.user_id"""
)
_UPLOADS = text(
    """update partial_upload p set requester = u.username
       from unnest(cast(:former as text[]), cast(:names as text[])) as u(former, username)
       where p.requester = u.former"""
)


class RetiredUser(Heard):
    """One person of `accounts.user.retired.v1`."""

    user_id: int
    former_username: str
    username: str
    version: int


class RetiredFact(Heard):
    """`accounts.user.retired.v1`."""

    users: list[RetiredUser]


async def retire_accounts(session: AsyncSession, facts: Sequence[RetiredFact]) -> None:
    """Replace names, whatever has been heard of these people before."""
    users = sorted({user.user_id: user for fact in facts for user in fact.users}.values(), key=lambda u: u.user_id)
    if not users:
        return
    ids, names = [user.user_id for user in users], [user.username for user in users]
    await session.execute(_ACCOUNT, {"ids": ids, "names": names, "versions": [user.version for user in users]})
    await session.execute(_TEAMS, {"ids": ids, "names": names})
    await session.execute(_JOBS, {"ids": ids, "names": names})
    await session.execute(_HOOKS, {"ids": ids, "names": names})
    await session.execute(_UPLOADS, {"former": [user.former_username for user in users], "names": names})
