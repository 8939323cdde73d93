"""Making, exchanging and ending credentials."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts import operations as accounts
from gateway.accounts import queries as account_queries
from gateway.accounts.errors import AccountRetired
from gateway.accounts.models import User
from gateway.tokens import queries
from gateway.tokens.errors import InvalidClient, InvalidGrant, InvalidScope
from gateway.tokens.models import SCOPES, ApiToken, Client, RefreshToken
from gateway.tokens.secrets import (
    API_TOKEN,
    REFRESH_TOKEN,
    keyed_hash,
    new_client_id,
    new_client_secret,
    new_opaque,
    read_opaque,
)

ADMIN_USERNAME = "lectern-admin"


@dataclass(frozen=True, slots=True)
class Authorized:
    """A successful exchange: for whom a token may be signed."""

    user: User
    client: Client
    scopes: Sequence[str]
    refresh_token: str | None = None


async def make_api_token(
    session: AsyncSession, *, username: str, scopes: Sequence[str] | None, expires_at: datetime | None, pepper: bytes
) -> tuple[ApiToken, str, str]:
    """The token's row, its account's name, and the secret. Raises `UserNotFound`."""
    user = await _living_user(session, username)
    opaque = new_opaque(API_TOKEN)
    token = ApiToken(
        id=opaque.id,
        user_id=user.user_id,
        token_hash=opaque.digest(pepper),
        scopes=list(SCOPES if scopes is None else scopes),
        expires_at=expires_at,
    )
    session.add(token)
    await session.flush()
    await session.refresh(token)
    return token, user.username, opaque.text


async def delete_api_token(session: AsyncSession, number: str) -> None:
    await queries.get_api_token(session, number)
    await session.execute(delete(ApiToken).where(ApiToken.id == number))


async def make_client(
    session: AsyncSession, *, name: str, username: str, scopes: Sequence[str] | None, pepper: bytes
) -> tuple[Client, str, str]:
    """The client's row, its account's name, and the secret. Raises `UserNotFound`."""
    user = await _living_user(session, username)
    secret = new_client_secret()
    client = Client(
        client_id=new_client_id(),
        name=name,
        user_id=user.user_id,
        secret_hash=keyed_hash(secret, pepper),
        scopes=list(SCOPES if scopes is None else scopes),
    )
    session.add(client)
    await session.flush()
    await session.refresh(client)
    return client, user.username, secret


async def delete_client(session: AsyncSession, client_id: str) -> None:
    await queries.get_client(session, client_id)
    await session.execute(delete(Client).where(Client.client_id == client_id))


async def _living_user(session: AsyncSession, username: str) -> User:
    user = await account_queries.get_user(session, username)
    if user.retired_at:
        raise AccountRetired
    return user


async def authenticate_client(session: AsyncSession, client_id: str, secret: str, *, pepper: bytes) -> Client:
    """Raises `InvalidClient`."""
    client = None if "\0" in client_id else await session.get(Client, client_id)
    # an unknown client costs the same comparison
    expected = client.secret_hash if client else bytes(32)
    if not hmac.compare_digest(expected, keyed_hash(secret, pepper)) or client is None:
        raise InvalidClient
    return client


async def authorize_client(session: AsyncSession, client: Client, *, wanted: Sequence[str]) -> Authorized:
    """The client acts as its account."""
    user = await session.get(User, client.user_id)
    if user is None or user.retired_at:
        raise InvalidClient
    return Authorized(user, client, granted_scopes(client, wanted))


async def authorize_user(
    session: AsyncSession,
    client: Client,
    user: User,
    *,
    wanted: Sequence[str],
    pepper: bytes,
    now: datetime,
    days: int,
) -> Authorized:
    """A user whose password was checked; the answer carries a refresh token."""
    scopes = granted_scopes(client, wanted)
    return Authorized(user, client, scopes, await _new_refresh(session, client, user, scopes, pepper, now, days))


async def refresh(
    session: AsyncSession, client: Client, token: str, *, wanted: Sequence[str], pepper: bytes, now: datetime, days: int
) -> Authorized:
    """Exchange a refresh token: it is used up, and the answer carries the next. Raises `InvalidGrant`."""
    opaque = read_opaque(token, REFRESH_TOKEN)
    row = await session.get(RefreshToken, opaque.id, with_for_update=True) if opaque else None
    if opaque is None or row is None or not hmac.compare_digest(row.token_hash, opaque.digest(pepper)):
        raise InvalidGrant
    user = await session.get(User, row.user_id)
    if row.client_id != client.client_id or row.expires_at <= now or user is None or user.retired_at:
        raise InvalidGrant
    if beyond := set(wanted) - set(row.scopes):
        raise InvalidScope(f"The refresh token does not carry {', '.join(sorted(beyond))}.")
    scopes = list(wanted) or row.scopes
    await session.delete(row)
    return Authorized(user, client, scopes, await _new_refresh(session, client, user, scopes, pepper, now, days))


async def _new_refresh(
    session: AsyncSession,
    client: Client,
    user: User,
    scopes: Sequence[str],
    pepper: bytes,
    now: datetime,
    days: int,
) -> str:
    opaque = new_opaque(REFRESH_TOKEN)
    session.add(
        RefreshToken(
            id=opaque.id,
            user_id=user.user_id,
            client_id=client.client_id,
            token_hash=opaque.digest(pepper),
            scopes=list(scopes),
            expires_at=now + timedelta(days=days),
        )
    )
    await session.flush()
    return opaque.text


def granted_scopes(client: Client, wanted: Sequence[str]) -> list[str]:
    """What was asked for, or all the client has. Raises `InvalidScope`."""
    if beyond := set(wanted) - set(client.scopes):
        raise InvalidScope(f"The client may not have {', '.join(sorted(beyond))}.")
    return list(wanted) or list(client.scopes)


async def ensure_admin(session: AsyncSession, *, client_id: str, secret: str, pepper: bytes) -> None:
    """The first client and its global-staff account exist, whatever was there; safe to run at every start."""
    user = await account_queries.find_user(session, ADMIN_USERNAME, lock=True)
    if user is None:
        statement = (
            insert(User)
            .values(
                username=ADMIN_USERNAME,
                email=f"{ADMIN_USERNAME}@localhost.localdomain",
                name="Lectern administrator",
                is_staff=True,
            )
            .on_conflict_do_nothing()
            .returning(User)
        )
        user = await session.scalar(statement)
        if user is not None:
            accounts.announce_users(session, [user.state()])
        else:  # another gateway process was faster
            user = await account_queries.get_user(session, ADMIN_USERNAME, lock=True)
    if not (user.is_staff and user.is_active):
        user.is_staff = user.is_active = True
        user.version += 1
        await session.flush()
        accounts.announce_users(session, [user.state()])
    values = {
        "name": "Administration",
        "user_id": user.user_id,
        "secret_hash": keyed_hash(secret, pepper),
        "scopes": list(SCOPES),
    }
    client = insert(Client).values(client_id=client_id, **values)
    await session.execute(client.on_conflict_do_update(index_elements=["client_id"], set_=values))
