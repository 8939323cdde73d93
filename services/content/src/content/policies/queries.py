"""Reading access policies and unlock keys."""

from dataclasses import dataclass
from datetime import datetime

from common.identity import Caller
from content.policies.models import Policy, Reader
from content.versions.queries import Connection

# By primary key and by unlock_key_course.
_POLICIES = "select scope, policy from access_policy where course_key = $1 order by scope"
_KEYS = """
select k.id, k.created_at, k.creator, count(u.user_id) as unlocked
from unlock_key k left join unlocked u on u.key_id = k.id
where k.course_key = $1 group by k.id order by k.id"""
# Everything that a list of all courses asks about one caller, in one statement; access_policy is small: few courses
# have a policy of their own.
_PLACES = """
select 'info' as kind, a.course_key, a.policy from access_policy a where a.scope = 'info'
union all select 'team', t.course_key, null from course_team t where t.user_id = $1 and not t.removed
union all select 'enrolled', e.course_key, null from enrollment e
  where e.user_id = $1 and e.is_active and exists (select from access_policy where scope = 'info')
union all select distinct 'unlocked', u.course_key, null::jsonb from unlocked u
  where u.user_id = $1 and exists (select from access_policy where scope = 'info')"""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the caller stands, over all courses, by canonical key."""

    team: frozenset[str]
    enrolled: frozenset[str]
    unlocked: frozenset[str]
    policies: dict[str, Policy]

    def reader(self, caller: Caller, course_key: str) -> Reader:
        return Reader(
            caller.username, caller.email, course_key in self.enrolled, course_key in self.unlocked, caller.application
        )


@dataclass(frozen=True, slots=True)
class Key:
    """An unlock key without its secret, and how many people have shown it."""

    id: int
    created_at: datetime
    creator: str | None
    unlocked: int


async def list_policies(connection: Connection, course_key: str) -> dict[str, Policy]:
    """A course's policies by scope."""
    rows = await connection.fetch(_POLICIES, course_key)
    return {row["scope"]: Policy.model_validate(row["policy"]) for row in rows}


async def list_keys(connection: Connection, course_key: str) -> list[Key]:
    return [Key(**dict(row)) for row in await connection.fetch(_KEYS, course_key)]


async def list_places(connection: Connection, user_id: int | None) -> Places:
    rows = await connection.fetch(_PLACES, -1 if user_id is None else user_id)

    def of(kind: str) -> frozenset[str]:
        return frozenset(row["course_key"] for row in rows if row["kind"] == kind)

    policies = {row["course_key"]: Policy.model_validate(row["policy"]) for row in rows if row["kind"] == "info"}
    return Places(of("team"), of("enrolled"), of("unlocked"), policies)
