"""Who may do what with a course: the team, the enrolled, and what the gateway says about the caller."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from common.errors import Forbidden, Unauthorized
from common.facts import Facts
from common.identity import Caller
from common.keys import CourseKey
from content.policies.errors import InfoNotOpen
from content.policies.models import INFO, Policy, Reader, admits, read_policies
from content.versions.queries import Connection

# One primary-key look-up per table; the heads come along, since every reader needs them next.
_STANDING = """
select c.course_key, c.spelling, c.org, t.role, e.mode, d.guid as draft, p.guid as published,
  (select jsonb_object_agg(a.scope, a.policy) from access_policy a where a.course_key = c.course_key) as policies,
  exists (select from unlocked u where u.course_key = c.course_key and u.user_id = $2) as unlocked
from course c
left join course_team t on t.course_key = c.course_key and t.user_id = $2 and not t.removed
left join enrollment e on e.course_key = c.course_key and e.user_id = $2 and e.is_active
left join branch d on d.course_key = c.course_key and d.name in ('draft', 'library')
left join branch p on p.course_key = c.course_key and p.name = 'published'
where c.course_key = $1 and c.deleted_at is null"""
_ACCOUNT = """
select user_id, username, is_active, is_staff, email from account where username = $1 order by version desc limit 1"""
TEAM_ROLES = frozenset({"instructor", "staff"})


@dataclass(frozen=True, slots=True)
class Standing:
    """What this service knows about one person and one course."""

    course_key: str
    spelling: str
    org: str
    role: str | None
    mode: str | None
    draft: str | None
    """Head of the branch that the team writes: of a library, its only one."""
    published: str | None
    policies: Mapping[str, Policy] = field(default_factory=dict)
    has_unlocked: bool = False

    @property
    def is_enrolled(self) -> bool:
        return self.mode is not None


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody else than the caller, as the accounts' owner announced them."""

    user_id: int
    username: str
    is_active: bool
    is_staff: bool
    email: str


async def find_standing(connection: Connection, course: CourseKey, user_id: int | None) -> Standing | None:
    """None when there is no such course."""
    row = await connection.fetchrow(_STANDING, course.canonical, -1 if user_id is None else user_id)
    if row is None:
        return None
    return Standing(
        row["course_key"],
        row["spelling"],
        row["org"],
        row["role"],
        row["mode"],
        row["draft"].hex() if row["draft"] else None,
        row["published"].hex() if row["published"] else None,
        read_policies(row["policies"]),
        row["unlocked"],
    )


async def find_account(connection: Connection, username: str) -> Account | None:
    row = await connection.fetchrow(_ACCOUNT, username) if "\0" not in username else None
    return Account(row["user_id"], row["username"], row["is_active"], row["is_staff"], row["email"]) if row else None


def is_team(caller: Caller, standing: Standing | None, course: CourseKey) -> bool:
    """May the caller read drafts and write? Course roles count only while the account is active."""
    if caller.is_anonymous:
        return False
    if caller.is_staff or caller.has_org_role(course.org, TEAM_ROLES):
        return True
    return standing is not None and standing.role in TEAM_ROLES and caller.is_active


def is_instructor(caller: Caller, standing: Standing | None, course: CourseKey) -> bool:
    """May the caller manage the team?"""
    if caller.is_anonymous:
        return False
    if caller.is_staff or caller.has_org_role(course.org, {"instructor"}):
        return True
    return standing is not None and standing.role == "instructor" and caller.is_active


async def settle(
    facts: Facts, read: Callable[[], Awaitable[Standing | None]], enough: Callable[[Standing | None], bool]
) -> Standing | None:
    """The standing once it is *enough*, or what it is after a moment's wait for facts still on their way."""
    last: Standing | None = None

    async def look() -> Standing | None:
        nonlocal last
        last = await read()
        return last if enough(last) else None

    await facts.eventually(look)
    return last


def require_team(caller: Caller, standing: Standing | None, course: CourseKey) -> None:
    """Raises 401 for the anonymous, 403 for whoever is not on the team."""
    if caller.is_anonymous:
        raise Unauthorized
    if not is_team(caller, standing, course):
        raise NotOnTeam


def require_info(policies: Mapping[str, Policy], reader: Reader, now: datetime) -> None:
    """Raises 401 for the anonymous and `InfoNotOpen` for others where the course's description is not for them."""
    policy = policies.get(INFO)
    if policy is None or admits(policy, reader, now, scope=INFO):
        return
    raise Unauthorized if reader.username is None else InfoNotOpen


class NotOnTeam(Forbidden):
    """The requesting user does not have course author permissions."""

    code = "user_permissions"
