"""Who is behind a request, and the internal tokens that say so to the services."""

import time

from joserfc.jwk import OKPKey

from common.identity import LIFETIME, Caller, sign

# a token goes out only while this much of its minute is left
MARGIN = 20
_READING = frozenset({"read", "profile", "email"})


class Principal:
    """A caller, how it came, and its internal tokens per service."""

    __slots__ = ("_tokens", "caller", "client", "only_reads")

    def __init__(self, caller: Caller, *, client: str | None = None) -> None:
        self.caller, self.client = caller, client
        self.only_reads = caller.user_id is not None and not caller.api_key and _for_reading(caller.scopes)
        """Its token was made for reading alone."""
        self._tokens: dict[str, tuple[float, bytes]] = {}

    def token(self, audience: str, key: OKPKey) -> bytes:
        """The internal token for one service; the same one again for most of its minute."""
        now = time.time()
        known = self._tokens.get(audience)
        if known is not None and known[0] > now:
            return known[1]
        made = sign(self.caller, audience=audience, key=key, now=int(now)).encode()
        self._tokens[audience] = (now + LIFETIME - MARGIN, made)
        return made


def _for_reading(scopes: frozenset[str]) -> bool:
    """A scope that nobody here knows may stand for anything, so it forbids nothing."""
    return all(scope in _READING or scope.endswith(":read") for scope in scopes)


def nobody(*, api_key: bool) -> Principal:
    return Principal(Caller(api_key=api_key))
