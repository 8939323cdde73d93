"""Decides whether a request goes on, and says so in headers and in the words that clients know."""

import math
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from common.identity import Caller
from gateway.limits.policy import Policy, RateClass
from gateway.limits.windows import Count, LocalWindows, SharedUnavailable, SharedWindows

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Decision:
    """`headers` go on the answer whatever it is; a refusal also has its message and when to come back."""

    allowed: bool
    headers: tuple[Header, ...] = ()
    message: str = ""
    retry_after: int = 0
    unavailable: bool = False


FREE = Decision(allowed=True)
UNAVAILABLE = Decision(
    allowed=False, message="The request cannot be counted just now.", retry_after=1, unavailable=True
)


class Limiter:
    """One per gateway process. `policy` None: limits are off."""

    def __init__(
        self, policy: Policy | None, *, local: LocalWindows | None = None, shared: SharedWindows | None = None
    ) -> None:
        self.policy = policy
        self._local = local or LocalWindows()
        self._shared = shared

    def rate_class(self, method: str, path: str) -> RateClass | None:
        return self.policy.find(method, path) if self.policy else None

    async def decide(self, rate: RateClass, caller: Caller, *, address: str, client: str | None = None) -> Decision:
        """Count a request of *caller* in its class."""
        if rate.exempt_api_key and caller.api_key:
            return FREE
        limit = rate.limit(caller)
        key = _key(rate, caller, address, client)
        if self._shared is None:
            return _decision(rate, limit, self._local.count(rate.counter, key, seconds=rate.seconds, limit=limit))
        try:
            count = await self._shared.count(rate.counter, key, seconds=rate.seconds, limit=limit, most=rate.most)
        except SharedUnavailable:
            if rate.closed:
                return UNAVAILABLE
            count = self._local.count(rate.counter, key, seconds=rate.seconds, limit=limit)
        return _decision(rate, limit, count)

    def attempts_left(self, name: str, address: str) -> Decision:
        """Whether another attempt of class *name* is open to this address; nothing is counted.

        Attempts are counted in this process alone: they are rare, and each gateway then bounds its own share.
        """
        return self._attempt(name, address, hit=False)

    def count_attempt(self, name: str, address: str) -> None:
        self._attempt(name, address, hit=True)

    def _attempt(self, name: str, address: str, *, hit: bool) -> Decision:
        rate = self.policy.classes.get(name) if self.policy else None
        if rate is None:
            return FREE
        count = self._local.count(rate.counter, network_of(address), seconds=rate.seconds, limit=rate.user, hit=hit)
        return _decision(rate, rate.user, count)

    def sweep(self) -> None:
        self._local.sweep()


def _key(rate: RateClass, caller: Caller, address: str, client: str | None) -> str:
    if rate.key == "client" and client is not None:
        return f"c{client}"
    if rate.key != "ip" and caller.user_id is not None:
        return f"u{caller.user_id}"
    return network_of(address)


def network_of(address: str) -> str:
    """Who is behind an address: one IPv4 address, one IPv6 /64."""
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return f"{parsed.exploded[:19]}::/64"


def _decision(rate: RateClass, limit: int, count: Count) -> Decision:
    headers = (
        (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (rate.name.encode(), limit, rate.seconds)),
        (
            b"ratelimit",
            b'"%b";r=%d;t=%d' % (rate.name.encode(), max(0, limit - count.used), math.ceil(count.reset)),
        ),
    )
    if count.fits:
        return Decision(allowed=True, headers=headers)
    wait = max(1, math.ceil(count.wait))
    # upstream names no time when the shared count stands above this class's limit; the header always does
    plain = "Request was throttled."
    unit = "second" if wait == 1 else "seconds"
    message = plain if count.used > limit else f"{plain} Expected available in {wait} {unit}."
    return Decision(allowed=False, headers=headers, message=message, retry_after=wait)
