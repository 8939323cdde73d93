"""Access tokens for callers: RS256 JWTs with the claims that Open edX code reads, signed and checked in one place."""

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import KeySet, RSAKey
from joserfc.jwt import JWTClaimsRegistry

ALGORITHM = "RS256"
TYPE = "at+jwt"
LONGEST = 8_192
_CACHE_LIMIT = 10_000


class TokenError(Exception):
    """Invalid token."""


class TokenUndecodable(TokenError):
    """Error decoding token."""


class TokenExpired(TokenError):
    """Token has expired."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a checked token says: whose it is, through which client, for what, until when."""

    user_id: int
    username: str
    client_id: str | None
    scopes: frozenset[str]
    expires_at: float


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a token is made for."""

    user_id: int
    username: str
    email: str
    name: str
    is_staff: bool


class UserTokens:
    """Signs with the private key; accepts it and the further public keys (the next and the last one of a rotation)."""

    def __init__(self, private_key: str, *, extra_keys: str, issuer: str, audience: str, seconds: int) -> None:
        self._key = RSAKey.import_key(json.loads(private_key))
        if not self._key.is_private:
            raise ValueError("LECTERN_TOKEN_PRIVATE_KEY is not a private RSA JWK")
        self._key_id = self._key.kid or self._key.thumbprint()
        public = RSAKey.import_key(self._key.as_dict(private=False))
        self._accepted = {self._key_id: public}
        for key in KeySet.import_key_set(json.loads(extra_keys)).keys if extra_keys else ():
            if isinstance(key, RSAKey):
                self._accepted[key.kid or key.thumbprint()] = RSAKey.import_key(key.as_dict(private=False))
        self._issuer, self._audience, self.seconds = issuer, audience, seconds
        self._registry = JWTClaimsRegistry(
            leeway=5,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
        )
        self._known: dict[str, Grant] = {}

    def key_set(self) -> dict[str, object]:
        """The published keys."""
        keys = [
            {**key.as_dict(private=False), "kid": key_id, "use": "sig", "alg": ALGORITHM}
            for key_id, key in self._accepted.items()
        ]
        return {"keys": keys}

    def sign(
        self, subject: Subject, *, client_id: str | None, scopes: Sequence[str], grant_type: str, now: int | None = None
    ) -> str:
        issued = int(time.time()) if now is None else now
        claims: dict[str, object] = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(subject.user_id),
            "iat": issued,
            "exp": issued + self.seconds,
            "jti": uuid.uuid4().hex,
            "version": "1.2.0",
            "grant_type": grant_type,
            "is_restricted": False,
            "scopes": list(scopes),
            "filters": [],
            "user_id": subject.user_id,
            "preferred_username": subject.username,
            "email": subject.email,
            "email_verified": True,
            "name": subject.name,
            "administrator": subject.is_staff,
            "superuser": False,
        }
        if client_id is not None:
            claims["client_id"] = client_id
        header = {"alg": ALGORITHM, "typ": TYPE, "kid": self._key_id}
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])

    def check(self, token: str) -> Grant:
        """The algorithm is ours, the key id only selects among known keys. Raises `TokenError` and its kinds."""
        now = time.time()
        if known := self._known.get(token):
            if known.expires_at > now:
                return known
            raise TokenExpired
        if len(token) > LONGEST:
            raise TokenUndecodable
        try:
            decoded = jwt.decode(token, self._select, algorithms=[ALGORITHM])
        except (JoseError, ValueError, KeyError) as error:
            raise TokenUndecodable from error
        try:
            self._registry.validate(decoded.claims)
        except ExpiredTokenError as error:
            raise TokenExpired from error
        except (JoseError, ValueError, TypeError) as error:
            raise TokenError from error
        grant = _grant(decoded.claims)
        if grant is None or decoded.header.get("typ") != TYPE:
            raise TokenError
        if len(self._known) >= _CACHE_LIMIT:
            self._known.clear()
        self._known[token] = grant
        return grant

    def _select(self, source: object) -> RSAKey:
        headers = source.headers() if hasattr(source, "headers") else {}
        return self._accepted[str(headers.get("kid"))]


def _grant(claims: dict[str, object]) -> Grant | None:
    user_id, username, client = claims.get("user_id"), claims.get("preferred_username"), claims.get("client_id")
    scopes, expires = claims.get("scopes"), claims.get("exp")
    if not isinstance(user_id, int) or not isinstance(username, str) or not isinstance(expires, int | float):
        return None
    return Grant(
        user_id=user_id,
        username=username,
        client_id=client if isinstance(client, str) else None,
        scopes=frozenset(str(scope) for scope in scopes) if isinstance(scopes, list) else frozenset(),
        expires_at=float(expires),
    )
