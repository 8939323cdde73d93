"""The token endpoint, the published keys, `me`, and the API for clients and API tokens."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import parse_qs, unquote_plus

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from common.database import ReadSession, WriteSession
from common.errors import Refusal, Unavailable
from common.identity import CLIENT_ADDRESS_HEADER, CallerDep, require_user
from gateway.accounts import queries as account_queries
from gateway.accounts.models import User
from gateway.accounts.routes import Paging, Staff, page_body
from gateway.accounts.schemas import Page
from gateway.context import Gateway, GatewayDep
from gateway.tokens import operations, queries
from gateway.tokens.errors import InvalidClient, InvalidGrant, OAuthRefusal, UnsupportedGrantType
from gateway.tokens.models import ApiToken, Client
from gateway.tokens.schemas import (
    AccessTokenOut,
    ApiTokenMade,
    ApiTokenOut,
    ClientMade,
    ClientOut,
    NewApiToken,
    NewClient,
    UserInfo,
)
from gateway.tokens.user_tokens import Subject

FORM = "application/x-www-form-urlencoded"
NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
router = APIRouter(tags=["credentials"])
accounts_router = APIRouter(prefix="/api/accounts/v1", tags=["accounts"])


class TooManyAttempts(Refusal):
    """Too many failed attempts; try again later."""

    status = 429
    code = "throttled"


@router.post("/oauth2/access_token", response_model=AccessTokenOut, responses={400: {}, 401: {}})
async def make_access_token(
    request: Request, response: Response, session: WriteSession, gateway: GatewayDep
) -> dict[str, object]:
    """OAuth2: client_credentials, password or refresh_token, form-encoded; the client by field or by HTTP Basic."""
    response.headers.update(NO_STORE)
    form = await _form(request)
    client = await _client(request, form, session, gateway)
    grant_type = form.get("grant_type", "")
    wanted = form.get("scope", "").split()
    now, days, pepper = datetime.now(UTC), gateway.settings.refresh_days, gateway.pepper
    if grant_type == "client_credentials":
        authorized = await operations.authorize_client(session, client, wanted=wanted)
    elif grant_type == "password":
        user = await _user(request, form, session, gateway)
        authorized = await operations.authorize_user(
            session, client, user, wanted=wanted, pepper=pepper, now=now, days=days
        )
    elif grant_type == "refresh_token":
        authorized = await operations.refresh(
            session, client, _field(form, "refresh_token"), wanted=wanted, pepper=pepper, now=now, days=days
        )
    elif grant_type:
        raise UnsupportedGrantType
    else:
        raise OAuthRefusal("The parameter grant_type is missing.")
    return _answer(gateway, authorized, grant_type, form.get("token_type", "bearer"))


def _answer(gateway: Gateway, authorized: operations.Authorized, grant_type: str, token_type: str) -> dict[str, object]:
    user = authorized.user
    token = gateway.user_tokens.sign(
        Subject(user.user_id, user.username, user.email, user.name, user.is_staff),
        client_id=authorized.client.client_id,
        scopes=authorized.scopes,
        grant_type=grant_type,
    )
    answer: dict[str, object] = {
        "access_token": token,
        "token_type": "JWT" if token_type.lower() == "jwt" else "Bearer",
        "expires_in": gateway.user_tokens.seconds,
        "scope": " ".join(authorized.scopes),
    }
    if authorized.refresh_token:
        answer["refresh_token"] = authorized.refresh_token
    return answer


async def _form(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", FORM).partition(";")[0].strip().lower() != FORM:
        raise OAuthRefusal(f"The body is not {FORM}.")
    try:
        fields = parse_qs((await request.body()).decode(), keep_blank_values=True, strict_parsing=False)
    except ValueError as error:
        raise OAuthRefusal("The body is not readable.") from error
    if several := [name for name, values in fields.items() if len(values) > 1]:
        raise OAuthRefusal(f"The parameter {several[0]} was sent twice.")
    form = {name: values[0] for name, values in fields.items()}
    if any("\0" in value for value in form.values()):
        raise OAuthRefusal("The body is not readable.")  # PostgreSQL takes no NUL
    return form


def _field(form: dict[str, str], name: str) -> str:
    if value := form.get(name):
        return value
    raise OAuthRefusal(f"The parameter {name} is missing.")


async def _client(request: Request, form: dict[str, str], session: AsyncSession, gateway: Gateway) -> Client:
    """Raises `InvalidClient` with a challenge when the client came by HTTP Basic."""
    authorization = request.headers.get("authorization", "")
    scheme, _, encoded = authorization.partition(" ")
    if len(request.headers.getlist("authorization")) > 1:
        raise OAuthRefusal("A request carries one Authorization header.")
    if scheme.lower() != "basic":
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if not client_id:
            raise InvalidClient
        return await operations.authenticate_client(session, client_id, secret, pepper=gateway.pepper)
    try:
        name, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        return await operations.authenticate_client(
            session, unquote_plus(name), unquote_plus(secret), pepper=gateway.pepper
        )
    except (InvalidClient, binascii.Error, UnicodeDecodeError) as error:
        refused = InvalidClient()
        refused.headers["WWW-Authenticate"] = 'Basic realm="oauth2"'
        raise refused from error


async def _user(request: Request, form: dict[str, str], session: AsyncSession, gateway: Gateway) -> User:
    username, password = _field(form, "username"), _field(form, "password")
    user = await check_password(request, username, password, session, gateway)
    if user is None:
        raise InvalidGrant
    return user


async def check_password(
    request: Request, username: str, password: str, session: AsyncSession, gateway: Gateway
) -> User | None:
    """None when they do not fit; failures are counted per address. Raises `TooManyAttempts`."""
    address = request.headers.get(CLIENT_ADDRESS_HEADER, "")
    left = gateway.limiter.attempts_left("failed_logins", address)
    if left.unavailable:
        raise Unavailable
    if not left.allowed:
        raise TooManyAttempts(headers={"Retry-After": str(left.retry_after)})
    user = await account_queries.find_user_by_login(session, username)
    usable = user if user is not None and not user.retired_at else None
    if await gateway.passwords.verify(password, usable.password_hash if usable else None):
        return usable
    gateway.limiter.count_attempt("failed_logins", address)
    return None


@router.get("/.well-known/jwks.json")
async def list_keys(response: Response, gateway: GatewayDep) -> dict[str, object]:
    """The public keys of access tokens."""
    response.headers["Cache-Control"] = "public, max-age=300"
    return gateway.user_tokens.key_set()


@router.get("/api/user/v1/me")
async def show_me(caller: CallerDep) -> dict[str, object]:
    """Who the credentials of this request belong to."""
    require_user(caller)
    return {
        "username": caller.username,
        "user_id": caller.user_id,
        "email": caller.email,
        "is_staff": caller.is_staff,
        "is_active": caller.is_active,
        "scopes": sorted(caller.scopes),
        "org_roles": [{"org": org, "role": role} for org, role in caller.org_roles],
        "creator_grants": list(caller.creator_grants),
    }


@router.get("/api/mobile/v0.5/my_user_info", response_model=UserInfo)
async def show_user_info(caller: CallerDep, session: ReadSession) -> dict[str, object]:
    """The same in upstream's words, with the full name; `edx-api-client` asks here."""
    require_user(caller)
    name = await account_queries.find_name(session, caller.user_id)
    return {"id": caller.user_id, "username": caller.username, "email": caller.email, "name": name}


def _token(token: ApiToken, username: str) -> dict[str, object]:
    return {
        "id": token.id,
        "username": username,
        "scopes": token.scopes,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "created_at": token.created_at,
    }


@accounts_router.post("/tokens", status_code=201, response_model=ApiTokenMade)
async def make_api_token(
    body: NewApiToken, response: Response, caller: Staff, session: WriteSession, gateway: GatewayDep
) -> dict[str, object]:
    """Make an API token. Its secret is shown this once, so an Idempotency-Key is not kept for it."""
    response.headers.update(NO_STORE)
    token, username, secret = await operations.make_api_token(
        session, username=body.username, scopes=body.scopes, expires_at=body.end, pepper=gateway.pepper
    )
    return _token(token, username) | {"token": secret}


@accounts_router.get("/tokens", response_model=Page[ApiTokenOut])
async def list_api_tokens(
    request: Request,
    caller: Staff,
    session: ReadSession,
    paging: Paging,
    username: Annotated[str | None, Query()] = None,
) -> object:
    """All API tokens, without their secrets."""
    found = await account_queries.page(session, queries.api_tokens(username=username), paging)
    return page_body(request, paging, found, [_token(*row) for row in found.rows])  # type: ignore[arg-type]


@accounts_router.get("/tokens/{number}", response_model=ApiTokenOut)
async def get_api_token(number: str, caller: Staff, session: ReadSession) -> object:
    """One API token, without its secret."""
    return _token(*await queries.get_api_token(session, number))


@accounts_router.delete("/tokens/{number}", status_code=204)
async def delete_api_token(number: str, caller: Staff, session: WriteSession) -> Response:
    """End an API token. Other gateway processes notice within five seconds, this one at once."""
    await operations.delete_api_token(session, number)
    return Response(status_code=204)


def _client_out(client: Client, username: str) -> dict[str, object]:
    return {
        "client_id": client.client_id,
        "name": client.name,
        "username": username,
        "scopes": client.scopes,
        "created_at": client.created_at,
    }


@accounts_router.post("/clients", status_code=201, response_model=ClientMade)
async def make_client(
    body: NewClient, response: Response, caller: Staff, session: WriteSession, gateway: GatewayDep
) -> dict[str, object]:
    """Make an OAuth2 client. Its secret is shown this once, so an Idempotency-Key is not kept for it."""
    response.headers.update(NO_STORE)
    client, username, secret = await operations.make_client(session, **body.model_dump(), pepper=gateway.pepper)
    return _client_out(client, username) | {"client_secret": secret}


@accounts_router.get("/clients", response_model=Page[ClientOut])
async def list_clients(
    request: Request,
    caller: Staff,
    session: ReadSession,
    paging: Paging,
    username: Annotated[str | None, Query()] = None,
) -> object:
    """All OAuth2 clients, without their secrets."""
    found = await account_queries.page(session, queries.clients(username=username), paging)
    return page_body(request, paging, found, [_client_out(*row) for row in found.rows])  # type: ignore[arg-type]


@accounts_router.get("/clients/{client_id}", response_model=ClientOut)
async def get_client(client_id: str, caller: Staff, session: ReadSession) -> object:
    """One OAuth2 client, without its secret."""
    return _client_out(*await queries.get_client(session, client_id))


@accounts_router.delete("/clients/{client_id}", status_code=204)
async def delete_client(client_id: str, caller: Staff, session: WriteSession) -> Response:
    """End a client and every token made through it. Other gateway processes notice within five seconds."""
    await operations.delete_client(session, client_id)
    return Response(status_code=204)
