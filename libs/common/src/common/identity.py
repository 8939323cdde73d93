"""Who is calling: the gateway's internal token, verified; nothing else is trusted."""

import json
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.jwt import JWTClaimsRegistry
from starlette.requests import Request

from common.errors import Forbidden, Unauthorized

HEADER = "x-lectern-identity"
CLIENT_ADDRESS_HEADER = "x-lectern-client-address"
CLIENT_COUNTRY_HEADER = "x-lectern-client-country"
ISSUER = "lectern-gateway"
LIFETIME = 60
ALGORITHM = "Ed25519"
_CACHE_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Claims of the internal token: who is calling, never what they may do in a course."""

    username: str | None = None
    user_id: int | None = None
    email: str | None = None
    is_staff: bool = False
    is_active: bool = True
    scopes: frozenset[str] = frozenset()
    org_roles: tuple[tuple[str, str], ...] = ()
    creator_grants: tuple[str, ...] = ()
    api_key: bool = False
    country: str | None = field(default=None, compare=False)
    application: str | None = None
    """The API client that acts for this person, or `token:<id>`."""

    @property
    def is_anonymous(self) -> bool:
        return self.username is None

    def has_org_role(self, org: str, roles: Collection[str]) -> bool:
        """Such a role holds for everything of the organization, also while the account is inactive."""
        return any(place == org and role in roles for place, role in self.org_roles)

    def may_create(self, org: str, number: str) -> bool:
        """A creator grant is an org designation, good for itself and everything below (`UTCx`, `UTCx.chem`)."""
        return self.is_staff or grants_cover(self.creator_grants, org, number)


def grants_cover(grants: tuple[str, ...], org: str, number: str) -> bool:
    place = f"{org}.{number}"
    return any(place == grant or place.startswith(f"{grant}.") or org == grant for grant in grants)


def claims_of(caller: Caller, *, audience: str, now: int | None = None) -> dict[str, object]:
    """The internal token's claims for *caller*, as the gateway signs them."""
    issued = int(time.time()) if now is None else now
    claims: dict[str, object] = {
        "iss": ISSUER,
        "aud": audience,
        "iat": issued,
        "exp": issued + LIFETIME,
        "active": caller.is_active,
        "staff": caller.is_staff,
        "scopes": sorted(caller.scopes),
        "org_roles": [list(role) for role in caller.org_roles],
        "creator_grants": list(caller.creator_grants),
        "api_key": caller.api_key,
    }
    who = {"sub": caller.username, "uid": caller.user_id, "email": caller.email, "country": caller.country}
    who["app"] = caller.application
    return claims | {name: value for name, value in who.items() if value is not None}


def sign(caller: Caller, *, audience: str, key: OKPKey, now: int | None = None) -> str:
    """An internal token, good for `LIFETIME` seconds at one service."""
    header = {"alg": ALGORITHM, "typ": "lectern-internal+jwt"}
    return jwt.encode(header, claims_of(caller, audience=audience, now=now), key, algorithms=[ALGORITHM])


def _caller(claims: dict[str, object]) -> Caller:
    def texts(name: str) -> list[str]:
        value = claims.get(name)
        return [str(item) for item in value] if isinstance(value, list) else []

    roles = claims.get("org_roles")
    uid = claims.get("uid")
    return Caller(
        username=str(claims["sub"]) if "sub" in claims else None,
        user_id=uid if isinstance(uid, int) else None,
        email=str(claims["email"]) if "email" in claims else None,
        is_staff=claims.get("staff") is True,
        is_active=claims.get("active") is True,
        scopes=frozenset(texts("scopes")),
        org_roles=tuple((str(role[0]), str(role[1])) for role in roles) if isinstance(roles, list) else (),
        creator_grants=tuple(texts("creator_grants")),
        api_key=claims.get("api_key") is True,
        country=str(claims["country"]) if "country" in claims else None,
        application=str(claims["app"]) if "app" in claims else None,
    )


class InvalidIdentity(Unauthorized):
    """This service answers the gateway only: the internal token is missing, expired or not for this service."""

    code = "invalid_identity"


class InternalTokens:
    """Verifies internal tokens; a verified one is kept until it expires (the gateway repeats it for a minute)."""

    def __init__(self, public_key: str, *, audience: str) -> None:
        self._key = OKPKey.import_key(_parse_jwk(public_key)) if public_key else None
        # leeway covers clock skew between hosts; joserfc's decode checks no claim by itself
        self._registry = JWTClaimsRegistry(
            leeway=5,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
        )
        self._known: dict[str, tuple[float, Caller]] = {}

    def verify(self, token: str | None) -> Caller:
        """The caller a token names. Raises `InvalidIdentity`."""
        if not token or self._key is None:
            raise InvalidIdentity
        now = time.time()
        known = self._known.get(token)
        if known and known[0] > now:
            return known[1]
        try:
            decoded = jwt.decode(token, self._key, algorithms=[ALGORITHM])
            self._registry.validate(decoded.claims)
        except (JoseError, ValueError) as error:
            raise InvalidIdentity from error
        if decoded.header.get("typ") != "lectern-internal+jwt":
            raise InvalidIdentity
        caller = _caller(decoded.claims)
        if len(self._known) >= _CACHE_LIMIT:
            self._known.clear()
        self._known[token] = (float(decoded.claims["exp"]), caller)
        return caller


def _parse_jwk(text: str) -> dict[str, str | list[str]]:

    parsed = json.loads(text)
    return {str(name): str(value) for name, value in parsed.items()}


def caller_of(request: Request) -> Caller:
    """The verified caller of a request; also for routes that take the bare request. Raises `InvalidIdentity`."""
    tokens: InternalTokens = request.state.resources.identity
    return tokens.verify(request.headers.get(HEADER))


CallerDep = Annotated[Caller, Depends(caller_of)]


def require_user(caller: Caller) -> Caller:
    """Raises 401 for the anonymous."""
    if caller.is_anonymous:
        raise Unauthorized
    return caller


def require_staff(caller: Caller) -> Caller:
    """Raises 401 for the anonymous, 403 for anyone who is not global staff."""
    if not require_user(caller).is_staff:
        raise Forbidden
    return caller


def request_base(request: Request) -> str:
    """Scheme and host that the client used, as the gateway says; absolute URLs start with it."""
    host = request.headers.get("x-forwarded-host")
    if host and HEADER in request.headers:
        return f"{request.headers.get('x-forwarded-proto', 'http')}://{host}"
    settings = request.state.resources.settings
    return str(settings.public_url).rstrip("/")
