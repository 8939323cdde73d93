"""Whose view of the catalogue a request asks for."""

from sqlalchemy import select

from common.errors import Forbidden
from common.identity import Caller
from common.resources import Resources
from course_catalog.accounts.errors import UserNotFound
from course_catalog.accounts.models import ANYBODY, Account, Viewer

_STAFF_ROLES = frozenset({"staff", "instructor"})


async def viewer_of(resources: Resources, caller: Caller, username: str) -> Viewer:
    """The view of *username*: one's own, or everybody's when empty; global staff may ask for anyone's.

    Raises `Forbidden`, also for names that do not exist, and `UserNotFound` for global staff.
    """
    if not username:
        return ANYBODY
    if username == caller.username:
        return viewer(caller)
    if not caller.is_staff:
        raise Forbidden

    async def find() -> Account | None:
        async with resources.sessions() as session:
            newest = select(Account).where(Account.username == username).order_by(Account.version.desc()).limit(1)
            return await session.scalar(newest)

    if account := await resources.facts.eventually(find):
        return Viewer.named(account.user_id, account.username, account.email, sees_all=account.is_staff)
    raise UserNotFound


def viewer(caller: Caller) -> Viewer:
    """The caller's own view."""
    if caller.user_id is None:
        return ANYBODY
    roles = caller.org_roles
    return Viewer.named(
        caller.user_id,
        caller.username or "",
        caller.email,
        sees_all=caller.is_staff,
        orgs=tuple(sorted({org.casefold() for org, role in roles if role in _STAFF_ROLES})),
        instructor_orgs=tuple(sorted({org.casefold() for org, role in roles if role == "instructor"})),
    )
