"""Look-ups behind credentials, one constant statement each, and questions about clients and tokens."""

import asyncpg
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from common.identity import Caller
from gateway.accounts.models import User
from gateway.tokens.errors import ClientNotFound, TokenNotFound
from gateway.tokens.models import ApiToken, Client

_ACCOUNT = """
  u.user_id, u.username, u.email, u.is_staff, u.is_active, u.country, u.retired_at is not null as retired,
  array(select r.org from org_roles r where r.user_id = u.user_id order by r.org, r.role) as orgs,
  array(select r.role from org_roles r where r.user_id = u.user_id order by r.org, r.role) as roles,
  array(select g.designation from creator_grants g where g.user_id = u.user_id order by 1) as grants
"""
ACCOUNT_BY_ID = f"""
select {_ACCOUNT}, $2::text is null or exists (select from clients c where c.client_id = $2) as client_lives
from users u where u.user_id = $1
"""
ACCOUNT_BY_SESSION = f"""
select {_ACCOUNT} from sessions s join users u using (user_id) where s.id_hash = $1 and s.expires_at > now()
"""
# the time of use is written at most once a minute
ACCOUNT_BY_API_TOKEN = f"""
with used as (
  update api_tokens set last_used_at = now()
  where id = $1 and token_hash = $2 and (last_used_at is null or last_used_at < now() - interval '1 minute')
)
select {_ACCOUNT}, t.token_hash, t.scopes, coalesce(t.expires_at <= now(), false) as expired
from api_tokens t join users u using (user_id) where t.id = $1
"""


def caller_of(row: asyncpg.Record, *, scopes: frozenset[str], api_key: bool, application: str | None = None) -> Caller:
    """The caller in a row of the look-ups above."""
    return Caller(
        username=row["username"],
        user_id=row["user_id"],
        email=row["email"],
        is_staff=row["is_staff"],
        is_active=row["is_active"],
        scopes=scopes,
        org_roles=tuple(zip(row["orgs"], row["roles"], strict=True)),
        creator_grants=tuple(row["grants"]),
        api_key=api_key,
        country=row["country"],
        application=application,
    )


def clients(*, username: str | None) -> Select[Client, str]:
    query = select(Client, User.username).join(User, User.user_id == Client.user_id)
    query = query.order_by(Client.created_at, Client.client_id)
    return query.where(func.lower(User.username) == username.lower()) if username else query


def api_tokens(*, username: str | None) -> Select[ApiToken, str]:
    query = select(ApiToken, User.username).join(User, User.user_id == ApiToken.user_id)
    query = query.order_by(ApiToken.created_at, ApiToken.id)
    return query.where(func.lower(User.username) == username.lower()) if username else query


async def get_client(session: AsyncSession, client_id: str) -> tuple[Client, str]:
    row = (await session.execute(clients(username=None).where(Client.client_id == client_id))).tuples().first()
    if row is None:
        raise ClientNotFound
    return row


async def get_api_token(session: AsyncSession, number: str) -> tuple[ApiToken, str]:
    row = (await session.execute(api_tokens(username=None).where(ApiToken.id == number))).tuples().first()
    if row is None:
        raise TokenNotFound
    return row
