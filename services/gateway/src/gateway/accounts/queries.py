"""Questions about accounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from common.pagination import InvalidPage, PageRequest, page_count
from gateway.accounts.errors import GrantNotFound, LinkNotFound, RoleNotFound, UserNotFound
from gateway.accounts.models import CreatorGrant, ExternalId, OrgRole, User


@dataclass(frozen=True, slots=True)
class Found:
    """One page of rows and how many there are."""

    rows: Sequence[tuple[object, ...]]
    count: int
    pages: int


async def find_user(session: AsyncSession, username: str, *, lock: bool = False) -> User | None:
    query = select(User).where(func.lower(User.username) == username.lower())
    return await session.scalar(query.with_for_update() if lock else query)


async def get_user(session: AsyncSession, username: str, *, lock: bool = False) -> User:
    if user := await find_user(session, username, lock=lock):
        return user
    raise UserNotFound(f"No user is called {username}.")


async def find_name(session: AsyncSession, user_id: int | None) -> str:
    """An account's full name."""
    return await session.scalar(select(User.name).where(User.user_id == user_id)) or ""


async def find_user_by_login(session: AsyncSession, login: str) -> User | None:
    """By username, or by e-mail address."""
    if user := await find_user(session, login):
        return user
    if "@" not in login:
        return None
    return await session.scalar(select(User).where(func.lower(User.email) == login.lower()))


async def page(session: AsyncSession, query: Select[*tuple[Any, ...]], request: PageRequest) -> Found:
    """Raises `InvalidPage` beyond the last page."""
    count = await session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    pages = page_count(count, request.size)
    if request.number > pages:
        raise InvalidPage
    rows = (await session.execute(query.limit(request.size).offset(request.offset))).tuples().all()
    return Found(rows, count, pages)


def users(*, username: str | None, email: str | None) -> Select[User]:
    query = select(User).order_by(User.user_id)
    if username:
        query = query.where(func.lower(User.username) == username.lower())
    if email:
        query = query.where(func.lower(User.email) == email.lower())
    return query


def external_ids(*, username: str | None, organization: str | None) -> Select[ExternalId, str]:
    query = (
        select(ExternalId, User.username)
        .join(User, User.user_id == ExternalId.user_id)
        .where(ExternalId.removed_at.is_(None))
        .order_by(ExternalId.id)
    )
    if username:
        query = query.where(func.lower(User.username) == username.lower())
    if organization:
        query = query.where(ExternalId.organization == organization)
    return query


def org_roles(*, username: str | None, org: str | None) -> Select[OrgRole, str]:
    query = select(OrgRole, User.username).join(User, User.user_id == OrgRole.user_id).order_by(OrgRole.id)
    if username:
        query = query.where(func.lower(User.username) == username.lower())
    if org:
        query = query.where(OrgRole.org == org)
    return query


def creator_grants(*, username: str | None) -> Select[CreatorGrant, str, str | None]:
    giver = aliased(User)
    query = (
        select(CreatorGrant, User.username, giver.username)
        .join(User, User.user_id == CreatorGrant.user_id)
        .outerjoin(giver, giver.user_id == CreatorGrant.granted_by)
        .order_by(CreatorGrant.id)
    )
    if username:
        query = query.where(func.lower(User.username) == username.lower())
    return query


async def get_external_id(session: AsyncSession, number: int, *, lock: bool = False) -> tuple[ExternalId, str]:
    query = external_ids(username=None, organization=None).where(ExternalId.id == number)
    row = (await session.execute(query.with_for_update(of=ExternalId) if lock else query)).tuples().first()
    if row is None:
        raise LinkNotFound
    return row


async def get_org_role(session: AsyncSession, number: int) -> tuple[OrgRole, str]:
    row = (await session.execute(org_roles(username=None, org=None).where(OrgRole.id == number))).tuples().first()
    if row is None:
        raise RoleNotFound
    return row


async def get_creator_grant(session: AsyncSession, number: int) -> tuple[CreatorGrant, str, str | None]:
    query = creator_grants(username=None).where(CreatorGrant.id == number)
    row = (await session.execute(query)).tuples().first()
    if row is None:
        raise GrantNotFound
    return row
