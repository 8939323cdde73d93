"""Writes to accounts. Each change is announced in the transaction that makes it."""

import hashlib
import hmac
import re
import uuid
from collections.abc import Sequence
from datetime import datetime

import asyncpg
from sqlalchemy import delete, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from common.database import raw
from common.identity import Caller
from common.messaging import outbox
from gateway.accounts import queries
from gateway.accounts.errors import AccountRetired, GrantNotYours, LinkTaken, UserNotFound, UserTaken, UserTwice
from gateway.accounts.models import CreatorGrant, ExternalId, OrgRole, User, is_wider
from gateway.accounts.schemas import NewUser, UserChanges
from gateway.events import MOST_ITEMS, ExternalIdsLinked, LinkState, RetiredUser, UsersChanged, UsersRetired, UserState

# ids are handed out in the order of the list
INSERT_USERS = """
insert into users (username, email, name, password_hash, is_active, is_staff, country)
select n.username, n.email, n.name, n.password_hash, n.is_active, n.is_staff, n.country
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bool[], $6::bool[], $7::text[]) with ordinality
  as n(username, email, name, password_hash, is_active, is_staff, country, place)
order by n.place
returning user_id, username, email, name, is_active, is_staff, country, created_at
"""
TAKEN = """
select username, email from users where lower(username) = any($1::text[]) or lower(email) = any($2::text[]) limit 100
"""
_DETAIL = re.compile(r"\((?P<value>.*)\) already exists")
# what a retired account held, in an order that the references allow
CREDENTIALS = ("refresh_tokens", "sessions", "api_tokens", "clients", "org_roles", "creator_grants")


async def create_users(
    session: AsyncSession, users: Sequence[NewUser], *, hashes: Sequence[str | None]
) -> list[asyncpg.Record]:
    """Make all of *users* or none, in one statement, and announce them. Raises `UserTaken`, `UserTwice`."""
    names, mails = [user.username.lower() for user in users], [user.email.lower() for user in users]
    for values in (names, mails):
        if twice := _repeated(values):
            raise UserTwice(taken=twice)
    connection = await raw(session)
    if taken := await connection.fetch(TAKEN, names, mails):
        raise UserTaken(taken=_taken(taken, set(names), set(mails)))
    try:
        rows: list[asyncpg.Record] = await connection.fetch(
            INSERT_USERS,
            [user.username for user in users],
            [user.email for user in users],
            [user.name for user in users],
            list(hashes),
            [user.is_active for user in users],
            [user.is_staff for user in users],
            [user.country for user in users],
        )
    except asyncpg.UniqueViolationError as error:  # taken between the look and the insert
        match = _DETAIL.search(error.detail or "")
        raise UserTaken(taken=[match["value"]] if match else []) from error
    states = [UserState(**{k: v for k, v in row.items() if k != "created_at"}, version=1) for row in rows]
    announce_users(session, states)
    return rows


def _repeated(values: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    return sorted({value for value in values if value in seen or seen.add(value)})  # type: ignore[func-returns-value]


def _taken(rows: Sequence[asyncpg.Record], names: set[str], mails: set[str]) -> list[str]:
    return [
        value
        for row in rows
        for value, wanted in ((row["username"], names), (row["email"], mails))
        if value.lower() in wanted
    ]


def announce_users(session: AsyncSession, states: Sequence[UserState]) -> None:
    """One change is announced under its account, a batch under an aggregate of its own."""
    if len(states) == 1:
        state = states[0]
        outbox.record(session, UsersChanged(users=[state]), aggregate=f"user:{state.user_id}", version=state.version)
        return
    for start in range(0, len(states), MOST_ITEMS):
        part = list(states[start : start + MOST_ITEMS])
        outbox.record(session, UsersChanged(users=part), aggregate=f"users:{uuid.uuid4()}", version=1)


async def change_user(session: AsyncSession, username: str, changes: UserChanges, *, password_hash: str | None) -> User:
    """Change an account; a change of nothing announces nothing. Raises `UserNotFound`, `UserTaken`."""
    user = await queries.get_user(session, username, lock=True)
    if user.retired_at:
        raise AccountRetired
    given = changes.model_dump(exclude={"password"}, exclude_unset=True)
    if password_hash is not None:
        user.password_hash = password_hash
        await _forget(session, user.user_id, ("refresh_tokens", "sessions"))
    different = {
        name: value
        for name, value in given.items()
        if (value is not None or name == "country") and getattr(user, name) != value
    }
    if not different:
        return user
    for name, value in different.items():
        setattr(user, name, value)
    user.version += 1
    try:
        await session.flush()
    except IntegrityError as error:
        raise UserTaken(taken=[str(different.get("email", ""))]) from error
    announce_users(session, [user.state()])
    return user


def retired_name(username: str, *, pepper: bytes) -> str:
    """The name that replaces a retired one: the same again for the same person, and nothing leads back from it."""
    return f"retired__user_{hmac.new(pepper, username.lower().encode(), hashlib.sha256).hexdigest()[:32]}"


async def retire_user(session: AsyncSession, username: str, *, pepper: bytes, now: datetime) -> User:
    """Replace a person's names, take every credential away, and announce it. Again is the same answer again."""
    replacement = retired_name(username, pepper=pepper)
    user = await queries.find_user(session, username, lock=True)
    if user is None:
        if done := await queries.find_user(session, replacement):
            return done
        raise UserNotFound(f"No user is called {username}.")
    links = await _take_links(session, user, now)
    former_username, former_email = user.username, user.email
    if user.retire(now, replacement=replacement):
        await _forget(session, user.user_id, CREDENTIALS)
        await session.flush()
        retired = RetiredUser(
            user_id=user.user_id,
            former_username=former_username,
            former_email=former_email,
            username=user.username,
            email=user.email,
            version=user.version,
            retired_at=now,
        )
        # before the new state: whoever keeps data by name must still find it
        aggregate = f"user:{user.user_id}"
        outbox.record(session, UsersRetired(users=[retired]), aggregate=aggregate, version=user.version)
        announce_users(session, [user.state()])
    for link in links:
        _announce_link(session, link.state(user.username))
    return user


async def _take_links(session: AsyncSession, user: User, now: datetime) -> list[ExternalId]:
    """Turn a person's external ids into tombstones that no longer hold the key."""
    taken = []
    query = queries.external_ids(username=user.username, organization=None)
    for link, _ in (await session.execute(query.with_for_update(of=ExternalId))).tuples():
        link.remove(now)
        link.external_key = f"retired:{link.id}"
        taken.append(link)
    return taken


def _announce_link(session: AsyncSession, state: LinkState) -> None:
    outbox.record(session, ExternalIdsLinked(links=[state]), aggregate=f"external_id:{state.id}", version=state.version)


async def _forget(session: AsyncSession, user_id: int, tables: Sequence[str]) -> None:
    for table in tables:
        await session.execute(text(f"delete from {table} where user_id = :user"), {"user": user_id})


_LOCK_LINK = "select pg_advisory_xact_lock(hashtextextended('external id ' || :organization || ' ' || lower(:key), 0))"
# index external_ids_folded
_LINKED = """
select exists (select from external_ids
  where organization = :organization and lower(external_key) = lower(:key) and removed_at is null)
"""


async def link_external_id(
    session: AsyncSession, *, username: str, organization: str, external_key: str
) -> tuple[ExternalId, str]:
    """Programs compare keys without case, so one that differs in that alone is taken too.

    Raises `UserNotFound`, `LinkTaken`.
    """
    user = await queries.get_user(session, username)
    named = {"organization": organization, "key": external_key}
    await session.execute(text(_LOCK_LINK), named)
    if await session.scalar(text(_LINKED), named):
        raise LinkTaken
    link = ExternalId(user_id=user.user_id, organization=organization, external_key=external_key, version=1)
    session.add(link)
    try:
        await session.flush()
    except IntegrityError as error:
        raise LinkTaken from error
    await session.refresh(link)
    _announce_link(session, link.state(user.username))
    return link, user.username


async def unlink_external_id(session: AsyncSession, number: int, *, now: datetime) -> None:
    link, username = await queries.get_external_id(session, number, lock=True)
    link.remove(now)
    _announce_link(session, link.state(username))


async def retire_linked_users(session: AsyncSession, organization: str, *, pepper: bytes, now: datetime) -> int:
    """Retire every account that an external id of the organization is linked to; returns how many."""
    query = queries.external_ids(username=None, organization=organization)
    names = sorted({username for _, username in (await session.execute(query)).tuples()})
    for username in names:
        await retire_user(session, username, pepper=pepper, now=now)
    return len(names)


async def give_org_role(session: AsyncSession, *, username: str, org: str, role: str) -> tuple[int, bool]:
    """The id of the role, and whether it is new. Raises `UserNotFound`."""
    user = await queries.get_user(session, username)
    return await _add_once(
        session,
        "org_roles",
        "insert into org_roles (user_id, org, role) values (:user_id, :org, :role) on conflict do nothing returning id",
        {"user_id": user.user_id, "org": org, "role": role},
    )


async def take_org_role(session: AsyncSession, number: int) -> None:
    await queries.get_org_role(session, number)
    await session.execute(delete(OrgRole).where(OrgRole.id == number))


async def give_creator_grant(
    session: AsyncSession, caller: Caller, *, username: str, designation: str
) -> tuple[int, bool]:
    """Also the holder of a wider designation may give. Raises `GrantNotYours`, `UserNotFound`."""
    _check_giver(caller, designation)
    user = await queries.get_user(session, username)
    return await _add_once(
        session,
        "creator_grants",
        "insert into creator_grants (user_id, designation, granted_by) values (:user_id, :designation, :giver) "
        "on conflict do nothing returning id",
        {"user_id": user.user_id, "designation": designation},
        giver=caller.user_id,
    )


async def take_creator_grant(session: AsyncSession, caller: Caller, number: int) -> None:
    grant, _, _ = await queries.get_creator_grant(session, number)
    _check_giver(caller, grant.designation)
    await session.execute(delete(CreatorGrant).where(CreatorGrant.id == number))


def _check_giver(caller: Caller, designation: str) -> None:
    if not (caller.is_staff or any(is_wider(held, designation) for held in caller.creator_grants)):
        raise GrantNotYours


async def _add_once(
    session: AsyncSession, table: str, insert: str, values: dict[str, object], **extra: object
) -> tuple[int, bool]:
    if (new := await session.scalar(text(insert), {**values, **extra})) is not None:
        return int(new), True
    where = " and ".join(f"{name} = :{name}" for name in values)
    found = await session.scalar(text(f"select id from {table} where {where}"), values)
    return int(found or 0), False
