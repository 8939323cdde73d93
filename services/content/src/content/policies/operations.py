"""Setting access policies, and giving out and showing unlock keys.

Policies stand beside the versions, not in them: reverting a course must not open it again, and an import must not close
it.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence

import asyncpg

from common.identity import Caller
from common.keys import CourseKey
from content.policies.models import Policy, Users

_PUT = """
insert into access_policy (course_key, scope, policy, changed_by, editor) values ($1, $2, $3::text::jsonb, $4, $5)
on conflict (course_key, scope) do update
  set policy = excluded.policy, changed_by = excluded.changed_by, editor = excluded.editor, changed_at = now()"""
_REMOVE = "delete from access_policy where course_key = $1 and scope = $2"
_NEW_KEY = """
insert into unlock_key (course_key, digest, created_by, creator) values ($1, $2, $3, $4) returning id"""
_REMOVE_KEY = "delete from unlock_key where course_key = $1 and id = $2"
_FIND_KEY = "select id from unlock_key where digest = $1 and course_key = $2 for key share"
_UNLOCK = """
insert into unlocked (course_key, user_id, key_id) values ($1, $2, $3)
on conflict (course_key, user_id, key_id) do nothing"""
_NAMING = """
select course_key, scope, policy from access_policy
where policy -> 'audiences' @> '[{"kind": "users"}]' order by course_key, scope for update"""
_FORGET_EDITORS = """
update access_policy a set editor = u.username
from unnest($1::bigint[], $2::text[]) as u(user_id, username) where a.changed_by = u.user_id"""
_FORGET_CREATORS = """
update unlock_key k set creator = u.username
from unnest($1::bigint[], $2::text[]) as u(user_id, username) where k.created_by = u.user_id"""
_REWRITE = "update access_policy set policy = $3::text::jsonb where course_key = $1 and scope = $2"


async def set_policy(
    connection: asyncpg.Connection, course: CourseKey, scope: str, policy: Policy | None, *, by: Caller
) -> bool:
    """Put a policy in force, or (None) go back to the default rules; False when there was nothing to go back from."""
    if policy is None:
        return bool((await connection.execute(_REMOVE, course.canonical, scope)) != "DELETE 0")
    await connection.execute(_PUT, course.canonical, scope, policy.model_dump_json(), by.user_id, by.username)
    return True


async def create_unlock_key(connection: asyncpg.Connection, course: CourseKey, *, by: Caller) -> tuple[int, str]:
    """A new key: its id, and the secret that is shown this once."""
    secret = secrets.token_urlsafe(24)
    number = await connection.fetchval(_NEW_KEY, course.canonical, _digest(secret), by.user_id, by.username)
    return number, secret


async def remove_unlock_key(connection: asyncpg.Connection, course: CourseKey, number: int) -> bool:
    """The key is worth nothing from now on, also for those who have shown it."""
    return bool((await connection.execute(_REMOVE_KEY, course.canonical, number)) != "DELETE 0")


async def unlock(connection: asyncpg.Connection, course: CourseKey, secret: str, *, user_id: int) -> bool:
    """Let a person in for a key; False when it is none of this course's."""
    number = await connection.fetchval(_FIND_KEY, _digest(secret), course.canonical)
    if number is None:
        return False
    await connection.execute(_UNLOCK, course.canonical, user_id, number)
    return True


def _digest(secret: str) -> bytes:
    """The secrets are 24 random bytes: a plain hash of them cannot be searched for."""
    return hashlib.sha256(secret.encode()).digest()


async def forget_people(connection: asyncpg.Connection, people: Sequence[tuple[int, str, str]]) -> None:
    """Replace (user id, former name, new name) wherever a policy or a key names somebody.

    Few courses have policies of their own, so those that name people are read whole.
    """
    ids, names = [person[0] for person in people], [person[2] for person in people]
    await connection.execute(_FORGET_EDITORS, ids, names)
    await connection.execute(_FORGET_CREATORS, ids, names)
    renamed = {former: name for _, former, name in people}
    for row in await connection.fetch(_NAMING):
        policy = Policy.model_validate(row["policy"])
        changed = _renamed(policy, renamed)
        if changed != policy:
            await connection.execute(_REWRITE, row["course_key"], row["scope"], changed.model_dump_json())


def _renamed(policy: Policy, names: Mapping[str, str]) -> Policy:
    audiences = [
        Users(kind="users", usernames=[names.get(name, name) for name in audience.usernames])
        if isinstance(audience, Users)
        else audience
        for audience in policy.audiences
    ]
    return policy.model_copy(update={"audiences": audiences})
