"""What a retirement changes here: names at once, the history's soon after, enrollments when the pipeline says so."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from enrollment.allowed.operations import announce_allowed
from enrollment.enrollments.changes import Origin
from enrollment.enrollments.setting import Wanted, set_enrollments
from enrollment.retirement.errors import NotRetiring
from enrollment.retirement.schemas import RetiredHeard

HISTORY_STEP: Final = 50_000

# A person nobody has announced here yet becomes a row too: older news with the former name comes too late then.
_ACCOUNT: Final = """
insert into account as a (user_id, username, email, name, is_active, is_staff, country, version)
select i.user_id, i.username, i.email, '', false, false, null, i.version
from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[]) as i(user_id, username, email, version) order by 1
on conflict (user_id) do update set username = excluded.username, email = excluded.email, name = '',
  is_active = false, is_staff = false, country = null, version = excluded.version
where excluded.version >= a.version
"""
_REMEMBER: Final = """
insert into retirement (user_id, former_hash, mail_hash, retired_at)
select i.user_id, retirement_hash(i.former), retirement_hash(lower(i.mail)), i.retired_at
from unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[]) as i(user_id, former, mail, retired_at) order by 1
on conflict (user_id) do nothing
"""
_REMEMBER_NAMES: Final = """
insert into retirement_name (user_id, former, replacement)
select * from unnest($1::bigint[], $2::text[], $3::text[]) order by 1
on conflict (user_id) do nothing
"""
_TEAMS: Final = """
update team_member t set username = i.username from unnest($1::bigint[], $2::text[]) as i(user_id, username)
where t.user_id = i.user_id and t.username <> i.username
"""
_OPT_INS: Final = "delete from email_opt_in where user_id = any($1::bigint[])"
# indexes enrollment_allowed_entry and cohort_waiting_entry (lower(email), …)
_CLOSE_ALLOWED: Final = """
update enrollment_allowed set removed = true, version = version + 1
where lower(email) = any(select lower(e) from unnest($1::text[]) e) and not removed returning id
"""
_RENAME_ALLOWED: Final = """
update enrollment_allowed w set email = i.email, attributes = '[]', cohort = null
from unnest($1::text[], $2::text[]) as i(former, email) where lower(w.email) = lower(i.former)
"""
_MANUAL: Final = """
update manual_enrollment m set email = i.email from unnest($1::text[], $2::text[]) as i(former, email)
where lower(m.email) = lower(i.former)
"""
_COHORTS: Final = "delete from cohort_waiting where lower(email) = any(select lower(e) from unnest($1::text[]) e)"

_NAMES: Final = """
select user_id, former, replacement, done_to, (select max(id) from enrollment_history) as last
from retirement_name order by user_id limit 20 for update skip locked
"""
# a stretch of the primary key at a time: nobody acts in so many names that an index for it would pay
_SCRUB: Final = "update enrollment_history set actor = $2 where actor = $1 and id > $3 and id <= $4"
# what is left is small beside the history, or gone after a month
_SCRUB_OTHERS: Final = (
    "update manual_enrollment set actor = $2 where actor = $1",
    "update program_history set actor = $2 where actor = $1",
    "update enrollment_allowed set actor = $2 where actor = $1",
    """update enrollment_job set owner = $2,
      scope = case when scope = 'caller:' || $1 then 'caller:' || $2 else scope end where owner = $1""",
)
_ADVANCE: Final = "update retirement_name set done_to = $2 where user_id = $1"
_DONE: Final = "delete from retirement_name where user_id = $1"

_FIND: Final = """
select user_id from retirement where former_hash = retirement_hash($1)
union all
select r.user_id from account a join retirement r using (user_id) where a.username = $1
limit 1
"""
_ENROLLED: Final = """
select c.key, c.org, e.is_active from enrollment e join course c on c.n = e.course_n where e.user_id = $1 order by c.n
"""


async def retire(connection: asyncpg.Connection, users: Sequence[RetiredHeard]) -> None:
    """Replace names and addresses; the learner's enrollments stay until the pipeline's own call."""
    newest = {user.user_id: user for user in sorted(users, key=lambda user: user.version)}
    ordered = [newest[user_id] for user_id in sorted(newest)]
    ids, names = [user.user_id for user in ordered], [user.username for user in ordered]
    emails, former = [user.email for user in ordered], [user.former_email for user in ordered]
    former_names = [user.former_username for user in ordered]
    await connection.execute(_ACCOUNT, ids, names, emails, [user.version for user in ordered])
    await connection.execute(_REMEMBER, ids, former_names, former, [user.retired_at for user in ordered])
    await connection.execute(_REMEMBER_NAMES, ids, former_names, names)
    await connection.execute(_TEAMS, ids, names)
    await connection.execute(_OPT_INS, ids)
    closed = await connection.fetch(_CLOSE_ALLOWED, former)
    await announce_allowed(connection, [row["id"] for row in closed])
    await connection.execute(_RENAME_ALLOWED, former, emails)
    await connection.execute(_MANUAL, former, emails)
    await connection.execute(_COHORTS, former)


async def scrub_history(connection: asyncpg.Connection) -> bool:
    """Replace former names of who acted here, the history's a stretch for each; false when nothing is left."""
    rows = await connection.fetch(_NAMES)
    for row in rows:
        end = row["done_to"] + HISTORY_STEP
        await connection.execute(_SCRUB, row["former"], row["replacement"], row["done_to"], end)
        if end < (row["last"] or 0):
            await connection.execute(_ADVANCE, row["user_id"], end)
        else:
            for statement in _SCRUB_OTHERS:
                await connection.execute(statement, row["former"], row["replacement"])
            await connection.execute(_DONE, row["user_id"])
    return bool(rows)


async def find_retiring(pool: asyncpg.Pool, username: str) -> int | None:
    """The account that had this name, or has it as its replacement."""
    found: int | None = await pool.fetchval(_FIND, username)
    return found


async def unenroll_everywhere(connection: asyncpg.Connection, user_id: int, *, actor: str, now: datetime) -> list[str]:
    """End the learner's enrollments; the orgs of all they ever had, or none when no active one was left."""
    rows = await connection.fetch(_ENROLLED, user_id)
    active = [Wanted(user_id, row["key"], None) for row in rows if row["is_active"]]
    if not active:
        return []
    origin = Origin(source="retirement", actor=actor)
    decisions = await set_enrollments(connection, active, origin=origin, now=now, deleted_too=True)
    if any(decision.outcome == "rejected" for decision in decisions):
        raise NotRetiring
    return sorted({row["org"] for row in rows})
