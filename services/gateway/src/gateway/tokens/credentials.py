"""From what a request shows to who is calling, through caches that live at most five seconds."""

import asyncio
import hashlib
import hmac
import time
from dataclasses import dataclass

import asyncpg

from gateway.proxy.headers import Incoming
from gateway.tokens.errors import BadCredentials
from gateway.tokens.principals import Principal, nobody
from gateway.tokens.queries import ACCOUNT_BY_API_TOKEN, ACCOUNT_BY_ID, ACCOUNT_BY_SESSION, caller_of
from gateway.tokens.secrets import API_TOKEN, read_opaque
from gateway.tokens.user_tokens import LONGEST, TokenError, TokenExpired, UserTokens

CACHE_SECONDS = 5.0
CACHE_LIMIT = 20_000
SESSION_COOKIE = b"lectern_session"
SESSION_SCOPES = frozenset({"read"})
Key = tuple[bytes, bool]
_NONEXISTENT = "The provided access token does not match any valid tokens."


@dataclass(frozen=True, slots=True)
class _Kept:
    until: float
    outcome: Principal | BadCredentials


class Authenticator:
    """Answers from its cache without waiting where it can: `known` first, `resolve` when that is None."""

    def __init__(self, pool: asyncpg.Pool, user_tokens: UserTokens, *, pepper: bytes, api_key: bytes | None) -> None:
        self._pool, self._user_tokens, self._pepper, self._api_key = pool, user_tokens, pepper, api_key
        self._anonymous = {flag: nobody(api_key=flag) for flag in (False, True)}
        self._kept: dict[Key, _Kept] = {}
        self._asking: dict[Key, asyncio.Task[Principal]] = {}
        self._forgotten = 0.0

    def anonymous(self, incoming: Incoming) -> Principal:
        return self._anonymous[self._has_api_key(incoming)]

    def known(self, incoming: Incoming, method: str) -> Principal | None:
        """None when the database has to be asked. Raises `BadCredentials`."""
        key = self._key(incoming, method)
        if not key[0]:
            return self._anonymous[key[1]]
        kept = self._kept.get(key)
        if kept is None or kept.until < max(time.monotonic(), self._forgotten):
            return None
        if isinstance(kept.outcome, BadCredentials):
            raise kept.outcome
        return kept.outcome

    async def resolve(self, incoming: Incoming, method: str) -> Principal:
        """Ask once for all requests that show the same credentials at the same moment. Raises `BadCredentials`."""
        key = self._key(incoming, method)
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(key, session=not incoming.authorization))
            task.add_done_callback(lambda done: self._asking.get(key) is done and self._asking.pop(key))
        return await asyncio.shield(task)

    def forget(self) -> None:
        """Ask the database again for everyone: an account, a role or a credential has changed here.

        What was kept stays as a comparison, so that whoever did not change keeps the internal tokens.
        """
        # an answer asked for before this moment is over too, also one still on its way
        self._forgotten = time.monotonic() + CACHE_SECONDS
        self._asking.clear()

    def _key(self, incoming: Incoming, method: str) -> Key:
        if incoming.authorizations > 1:
            raise BadCredentials("", "several_credentials", "A request carries one Authorization header.", status=400)
        shown = incoming.authorization
        if not shown and incoming.cookie and method in ("GET", "HEAD"):
            shown = incoming.cookie_value(SESSION_COOKIE)
        return shown, self._has_api_key(incoming)

    def _has_api_key(self, incoming: Incoming) -> bool:
        if not incoming.api_key or self._api_key is None:
            return False
        return hmac.compare_digest(incoming.api_key, self._api_key)

    async def _ask(self, key: Key, *, session: bool) -> Principal:
        now = time.monotonic()
        outcome: Principal | BadCredentials
        try:
            if session:
                outcome = await self._by_session(key[0], api_key=key[1])
            else:
                outcome = await self._by_header(key[0].decode("latin-1"), api_key=key[1])
        except BadCredentials as refused:
            outcome = refused
        previous = self._kept.get(key)
        if len(self._kept) >= CACHE_LIMIT:
            self._kept.clear()
        if previous is not None and isinstance(outcome, Principal) and isinstance(previous.outcome, Principal):
            same = previous.outcome
            if same.caller == outcome.caller and same.caller.country == outcome.caller.country:
                outcome = same  # its internal tokens are still good
        self._kept[key] = _Kept(now + CACHE_SECONDS, outcome)
        if isinstance(outcome, BadCredentials):
            raise outcome
        return outcome

    async def _by_session(self, cookie: bytes, *, api_key: bool) -> Principal:
        """A session that is over counts as none: its page is the anonymous one."""
        row = await self._pool.fetchrow(ACCOUNT_BY_SESSION, hashlib.sha256(cookie).digest())
        if row is None or row["retired"]:
            return self._anonymous[api_key]
        return Principal(caller_of(row, scopes=SESSION_SCOPES, api_key=api_key), client="session")

    async def _by_header(self, header: str, *, api_key: bool) -> Principal:
        scheme, _, token = header.partition(" ")
        scheme, token = scheme.lower(), token.strip()
        if scheme not in ("bearer", "jwt", "token"):
            raise BadCredentials(scheme, "unknown_scheme", "Authentication credentials were not provided.")
        if not token:
            raise BadCredentials(scheme, "token_not_provided", "Invalid token header. No credentials provided.")
        if " " in token or len(token) > LONGEST:
            raise BadCredentials(scheme, "token_malformed", "The provided access token is malformed.")
        if scheme == "jwt" or (scheme == "bearer" and token.count(".") == 2):
            return await self._by_user_token(scheme, token, api_key=api_key)
        return await self._by_api_token(scheme, token, api_key=api_key)

    async def _by_user_token(self, scheme: str, token: str, *, api_key: bool) -> Principal:
        try:
            grant = self._user_tokens.check(token)
        except TokenExpired as error:
            text = "The provided access token has expired and is no longer valid."
            raise BadCredentials(scheme, "token_expired", _words(scheme, error, text)) from error
        except TokenError as error:
            raise BadCredentials(scheme, "token_nonexistent", _words(scheme, error, _NONEXISTENT)) from error
        row = await self._pool.fetchrow(ACCOUNT_BY_ID, grant.user_id, grant.client_id)
        if row is None or not row["client_lives"]:
            raise BadCredentials(scheme, "token_nonexistent", _words(scheme, TokenError(), _NONEXISTENT))
        if row["retired"]:
            raise BadCredentials(scheme, "user_is_disabled", "User account is disabled.")
        caller = caller_of(row, scopes=grant.scopes, api_key=api_key, application=grant.client_id)
        return Principal(caller, client=grant.client_id)

    async def _by_api_token(self, scheme: str, token: str, *, api_key: bool) -> Principal:
        opaque = read_opaque(token, API_TOKEN)
        row = None
        if opaque is not None:
            digest = opaque.digest(self._pepper)
            row = await self._pool.fetchrow(ACCOUNT_BY_API_TOKEN, opaque.id, digest)
            if row is not None and not hmac.compare_digest(row["token_hash"], digest):
                row = None
        if row is None or opaque is None:
            raise BadCredentials(scheme, "token_nonexistent", _words(scheme, TokenError(), _NONEXISTENT))
        if row["expired"]:
            text = "The provided access token has expired and is no longer valid."
            raise BadCredentials(scheme, "token_expired", _words(scheme, TokenExpired(), text))
        if row["retired"]:
            raise BadCredentials(scheme, "user_is_disabled", "User account is disabled.")
        client = f"token:{opaque.id}"
        caller = caller_of(row, scopes=frozenset(row["scopes"]), api_key=api_key, application=client)
        return Principal(caller, client=client)


def _words(scheme: str, error: TokenError, bearer: str) -> str:
    """Each scheme has its own sentence for the same thing."""
    return bearer if scheme == "bearer" else (type(error).__doc__ or "").strip()
