"""The accounts API, for global staff."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import asyncpg
from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import SecretStr
from starlette.requests import Request

from common.database import ReadSession, WriteSession
from common.identity import Caller, CallerDep, request_base, require_staff, require_user
from common.pagination import PageRequest, page_links, parse_page
from gateway.accounts import operations, queries
from gateway.accounts.errors import GrantNotYours, TooManyPasswords
from gateway.accounts.models import CreatorGrant, ExternalId, OrgRole, User
from gateway.accounts.schemas import (
    CreatorGrantOut,
    ExternalIdOut,
    NewCreatorGrant,
    NewExternalId,
    NewOrgRole,
    NewUsers,
    OrgRoleOut,
    Page,
    UserChanges,
    UserOut,
)
from gateway.context import GatewayDep
from gateway.idempotent import once

MOST_PASSWORDS = 50
router = APIRouter(prefix="/api/accounts/v1", tags=["accounts"])


def _staff(caller: CallerDep) -> Caller:
    return require_staff(caller)


def _user(caller: CallerDep) -> Caller:
    return require_user(caller)


def _giver(caller: CallerDep) -> Caller:
    """Whoever has nothing to give hears that before anything about the body."""
    if not require_user(caller).is_staff and not caller.creator_grants:
        raise GrantNotYours
    return caller


def _paging(page: str | None = None, page_size: str | None = None) -> PageRequest:
    return parse_page(page, page_size, default=50, maximum=500)


Staff = Annotated[Caller, Depends(_staff)]
SignedIn = Annotated[Caller, Depends(_user)]
Giver = Annotated[Caller, Depends(_giver)]
Number = Annotated[int, Path(ge=1, lt=2**63)]
Paging = Annotated[PageRequest, Depends(_paging)]


def page_body(request: Request, paging: PageRequest, found: queries.Found, results: Sequence[object]) -> object:
    """One page as the API gives it."""
    url = f"{request_base(request)}{request.url.path}"
    following, previous = page_links(url, request.url.query, paging.number, found.pages)
    pagination = {"count": found.count, "num_pages": found.pages, "next": following, "previous": previous}
    return {"pagination": pagination, "results": results}


@router.post("/users", status_code=201, response_model=UserOut | list[UserOut])
async def create_users(
    request: Request, users: NewUsers, caller: Staff, session: WriteSession, gateway: GatewayDep
) -> Response:
    """Make one account, or a list of them: all or none."""
    alone = (await request.body()).lstrip().startswith(b"{")
    if len(users) > 1 and sum(user.password is not None for user in users) > MOST_PASSWORDS:
        raise TooManyPasswords

    async def hashed(password: SecretStr | None) -> str | None:
        return None if password is None else await gateway.passwords.hash(password.get_secret_value())

    # before the transaction takes a connection: each hash costs 50 ms
    hashes = await asyncio.gather(*(hashed(user.password) for user in users))

    async def make() -> tuple[int, object]:
        rows = await operations.create_users(session, users, hashes=hashes) if users else []
        out = [_row(row) for row in rows]
        return 201, out[0] if alone else out

    return await once(request, session, caller, make)


def _row(row: asyncpg.Record) -> dict[str, object]:
    return {**row, "retired_at": None}


@router.get("/users", response_model=Page[UserOut])
async def list_users(
    request: Request,
    caller: Staff,
    session: ReadSession,
    paging: Paging,
    username: Annotated[str | None, Query()] = None,
    email: Annotated[str | None, Query()] = None,
) -> object:
    """All accounts, oldest first."""
    found = await queries.page(session, queries.users(username=username, email=email), paging)
    return page_body(request, paging, found, [row[0] for row in found.rows])


@router.get("/users/{username}", response_model=UserOut)
async def get_user(username: str, caller: Staff, session: ReadSession) -> User:
    """One account."""
    return await queries.get_user(session, username)


@router.patch("/users/{username}", response_model=UserOut)
async def change_user(
    username: str, body: UserChanges, caller: Staff, session: WriteSession, gateway: GatewayDep
) -> User:
    """Change an account. A new password ends its log-ins."""
    hashed = await gateway.passwords.hash(body.password.get_secret_value()) if body.password else None
    return await operations.change_user(session, username, body, password_hash=hashed)


@router.post("/users/{username}/retire", status_code=202, response_model=UserOut)
async def retire_user(username: str, caller: Staff, session: WriteSession, gateway: GatewayDep) -> User:
    """Forget a person: names are replaced everywhere, credentials end at once."""
    return await operations.retire_user(session, username, pepper=gateway.pepper, now=datetime.now(UTC))


@router.delete("/users/{username}", status_code=202, response_model=UserOut)
async def delete_user(username: str, caller: Staff, session: WriteSession, gateway: GatewayDep) -> User:
    """The same as retiring: an account leaves its number behind, since others hold it."""
    return await operations.retire_user(session, username, pepper=gateway.pepper, now=datetime.now(UTC))


def _link(link: ExternalId, username: str) -> dict[str, object]:
    return {
        "id": link.id,
        "username": username,
        "organization": link.organization,
        "external_key": link.external_key,
        "created_at": link.created_at,
    }


@router.post("/external_ids", status_code=201, response_model=ExternalIdOut)
async def link_external_id(request: Request, body: NewExternalId, caller: Staff, session: WriteSession) -> Response:
    """Link an organization's own key to an account."""

    async def make() -> tuple[int, object]:
        link, username = await operations.link_external_id(session, **body.model_dump())
        return 201, _link(link, username)

    return await once(request, session, caller, make)


@router.get("/external_ids", response_model=Page[ExternalIdOut])
async def list_external_ids(
    request: Request,
    caller: Staff,
    session: ReadSession,
    paging: Paging,
    username: Annotated[str | None, Query()] = None,
    organization: Annotated[str | None, Query()] = None,
) -> object:
    """All linked external ids."""
    query = queries.external_ids(username=username, organization=organization)
    found = await queries.page(session, query, paging)
    return page_body(request, paging, found, [_link(*row) for row in found.rows])  # type: ignore[arg-type]


@router.get("/external_ids/{number}", response_model=ExternalIdOut)
async def get_external_id(number: Number, caller: Staff, session: ReadSession) -> object:
    """One linked external id."""
    return _link(*await queries.get_external_id(session, number))


@router.delete("/external_ids/{number}", status_code=204)
async def unlink_external_id(number: Number, caller: Staff, session: WriteSession) -> Response:
    """Unlink an external id."""
    await operations.unlink_external_id(session, number, now=datetime.now(UTC))
    return Response(status_code=204)


def _role(role: OrgRole, username: str) -> dict[str, object]:
    return {"id": role.id, "username": username, "org": role.org, "role": role.role, "created_at": role.created_at}


@router.post("/org_roles", status_code=201, response_model=OrgRoleOut)
async def give_org_role(request: Request, body: NewOrgRole, caller: Staff, session: WriteSession) -> Response:
    """Give a role in every course of an organization; 200 when it was held already."""

    async def make() -> tuple[int, object]:
        number, new = await operations.give_org_role(session, **body.model_dump())
        return (201 if new else 200), _role(*await queries.get_org_role(session, number))

    return await once(request, session, caller, make)


@router.get("/org_roles", response_model=Page[OrgRoleOut])
async def list_org_roles(
    request: Request,
    caller: Staff,
    session: ReadSession,
    paging: Paging,
    username: Annotated[str | None, Query()] = None,
    org: Annotated[str | None, Query()] = None,
) -> object:
    """All org roles."""
    found = await queries.page(session, queries.org_roles(username=username, org=org), paging)
    return page_body(request, paging, found, [_role(*row) for row in found.rows])  # type: ignore[arg-type]


@router.get("/org_roles/{number}", response_model=OrgRoleOut)
async def get_org_role(number: Number, caller: Staff, session: ReadSession) -> object:
    """One org role."""
    return _role(*await queries.get_org_role(session, number))


@router.delete("/org_roles/{number}", status_code=204)
async def take_org_role(number: Number, caller: Staff, session: WriteSession) -> Response:
    """Take an org role away."""
    await operations.take_org_role(session, number)
    return Response(status_code=204)


def _grant(grant: CreatorGrant, username: str, giver: str | None) -> dict[str, object]:
    return {
        "id": grant.id,
        "username": username,
        "designation": grant.designation,
        "granted_by": giver,
        "created_at": grant.created_at,
    }


@router.post("/creator_grants", status_code=201, response_model=CreatorGrantOut)
async def give_creator_grant(request: Request, body: NewCreatorGrant, caller: Giver, session: WriteSession) -> Response:
    """Let a person create courses under a designation; also by the holder of a wider one. 200 when held already."""

    async def make() -> tuple[int, object]:
        number, new = await operations.give_creator_grant(session, caller, **body.model_dump())
        return (201 if new else 200), _grant(*await queries.get_creator_grant(session, number))

    return await once(request, session, caller, make)


@router.get("/creator_grants", response_model=Page[CreatorGrantOut])
async def list_creator_grants(
    request: Request,
    caller: Staff,
    session: ReadSession,
    paging: Paging,
    username: Annotated[str | None, Query()] = None,
) -> object:
    """All creator grants."""
    found = await queries.page(session, queries.creator_grants(username=username), paging)
    return page_body(request, paging, found, [_grant(*row) for row in found.rows])  # type: ignore[arg-type]


@router.get("/creator_grants/{number}", response_model=CreatorGrantOut)
async def get_creator_grant(number: Number, caller: Staff, session: ReadSession) -> object:
    """One creator grant."""
    return _grant(*await queries.get_creator_grant(session, number))


@router.delete("/creator_grants/{number}", status_code=204)
async def take_creator_grant(number: Number, caller: SignedIn, session: WriteSession) -> Response:
    """Take a creator grant away; also by the holder of a wider designation."""
    await operations.take_creator_grant(session, caller, number)
    return Response(status_code=204)
