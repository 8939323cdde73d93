"""Making and changing cohorts, and who is in which; a learner is in one of a course at most, whoever else is at it."""

import re
from collections.abc import Collection, Sequence
from typing import Final

import asyncpg

from enrollment.cohorts.errors import NameTaken, NotInCohort, UserMissing
from enrollment.cohorts.schemas import CohortRead
from enrollment.waiting_lock import exclude_new_accounts

_EMAIL: Final = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")
_MAX_EMAIL: Final = 254

_CREATE: Final = """
insert into cohort (course_n, name, assignment_type, user_partition_id, group_id) values ($1, $2, $3, $4, $5)
on conflict (course_n, name) do nothing returning id
"""
_CHANGE: Final = """
update cohort set name = coalesce($3, name), assignment_type = coalesce($4, assignment_type),
  user_partition_id = case when $5 then $6 else user_partition_id end,
  group_id = case when $5 then $7 else group_id end
where course_n = $1 and id = $2
"""
# indexes account_username, account_email, cohort_membership_pkey
_RESOLVE: Final = """
select i.text, a.user_id, a.username, a.email, m.cohort_id, k.name as cohort
from unnest($1::text[]) as i(text)
left join lateral (
  select * from account where username = i.text
  union all select * from account where lower(email) = lower(i.text)
  limit 1) a on true
left join cohort_membership m on m.user_id = a.user_id and m.course_n = $2
left join cohort k on k.id = m.cohort_id
"""
# in key order, so that two calls cannot block each other
_LOCK: Final = """
select from cohort_membership where user_id = any($1::bigint[]) and course_n = $2 order by user_id for update
"""
_JOIN: Final = """
insert into cohort_membership as m (user_id, course_n, cohort_id)
select u, $2, $3 from unnest($1::bigint[]) u order by u
on conflict (user_id, course_n) do update set cohort_id = excluded.cohort_id where m.cohort_id <> excluded.cohort_id
"""
_WAIT: Final = """
insert into cohort_waiting as w (email, course_n, cohort_id)
select distinct on (lower(e)) e, $2, $3 from unnest($1::text[]) e order by lower(e)
on conflict (lower(email), course_n) do update set cohort_id = excluded.cohort_id
"""
_LEAVE: Final = (
    "delete from cohort_membership where user_id = $1 and course_n = $2 and cohort_id = $3 returning user_id"
)
_WHO: Final = "select user_id from account where username = $1 limit 1"
_JOIN_WAITING: Final = """
with w as (
  delete from cohort_waiting w using account a
  where a.user_id = any($1::bigint[]) and lower(w.email) = lower(a.email)
  returning a.user_id, w.course_n, w.cohort_id)
insert into cohort_membership (user_id, course_n, cohort_id)
select distinct on (user_id, course_n) user_id, course_n, cohort_id from w order by user_id, course_n
on conflict (user_id, course_n) do nothing
"""


async def create(connection: asyncpg.Connection, course_n: int, wanted: CohortRead) -> int:
    """The new cohort's id. Raises `NameTaken`."""
    kind = wanted.assignment_type or "manual"
    found: int | None = await connection.fetchval(
        _CREATE, course_n, wanted.name, kind, wanted.user_partition_id, wanted.group_id
    )
    if found is None:
        raise NameTaken
    return found


async def change(connection: asyncpg.Connection, course_n: int, cohort_id: int, wanted: CohortRead) -> None:
    """Raises `NameTaken`."""
    try:
        await connection.execute(
            _CHANGE,
            course_n,
            cohort_id,
            wanted.name,
            wanted.assignment_type,
            wanted.links,
            wanted.user_partition_id,
            wanted.group_id,
        )
    except asyncpg.UniqueViolationError as error:
        raise NameTaken from error


async def add_users(
    connection: asyncpg.Connection, course_n: int, cohort_id: int, users: Sequence[object]
) -> dict[str, object]:
    """Put them all into the cohort; each is named under what became of it. Addresses without an account wait."""
    texts = list(dict.fromkeys(user for user in users if isinstance(user, str)))
    await exclude_new_accounts(connection)
    known = {row["text"]: row for row in await connection.fetch(_RESOLVE, texts, course_n) if row["user_id"]}
    ids = sorted({row["user_id"] for row in known.values()})
    if ids:
        # what they are in is looked at again, now that nobody can change it
        await connection.execute(_LOCK, ids, course_n)
        known = {row["text"]: row for row in await connection.fetch(_RESOLVE, texts, course_n) if row["user_id"]}
        await connection.execute(_JOIN, ids, course_n, cohort_id)
    found: dict[str, list[object]] = {
        name: [] for name in ("added", "changed", "present", "unknown", "preassigned", "invalid")
    }
    there = {row["user_id"] for row in known.values() if row["cohort_id"] == cohort_id}
    for user in users:
        row = known.get(user) if isinstance(user, str) else None
        if row is None:
            found[_without_account(user)].append(user if isinstance(user, str) else str(user))
        elif row["user_id"] in there:
            found["present"].append(user)
        else:
            there.add(row["user_id"])
            shown = {"username": row["username"], "email": row["email"]}
            if row["cohort"] is None:
                found["added"].append(shown)
            else:
                found["changed"].append({**shown, "previous_cohort": row["cohort"]})
    if found["preassigned"]:
        await connection.execute(_WAIT, found["preassigned"], course_n, cohort_id)
    return {"success": True, **found}


def _without_account(user: object) -> str:
    if not isinstance(user, str):
        return "invalid"
    if len(user) <= _MAX_EMAIL and _EMAIL.fullmatch(user):
        return "preassigned"
    return "invalid" if "@" in user else "unknown"


async def find_user(pool: asyncpg.Pool, username: str) -> int | None:
    """The account of this name."""
    found: int | None = await pool.fetchval(_WHO, username)
    return found


async def remove_user(connection: asyncpg.Connection, course_n: int, cohort_id: int, user_id: int | None) -> None:
    """Raises `UserMissing`, `NotInCohort`."""
    if user_id is None:
        raise UserMissing
    if await connection.fetchval(_LEAVE, user_id, course_n, cohort_id) is None:
        raise NotInCohort


async def join_waiting_cohorts(connection: asyncpg.Connection, user_ids: Collection[int]) -> None:
    """Accounts whose addresses were put into cohorts before they appeared."""
    await connection.execute(_JOIN_WAITING, list(user_ids))
