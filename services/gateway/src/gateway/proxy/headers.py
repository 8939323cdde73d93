"""Which headers cross the gateway. What a client says about who it is or where it came from never does."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

MOST_FIELDS = 100
MOST_BYTES = 16_384
LONGEST_URL = 8_192

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# headers that only the gateway may set towards a service, or that end at the gateway
OURS = HOP_BY_HOP | {
    b"authorization",
    b"content-length",
    b"cookie",
    b"expect",
    b"forwarded",
    b"host",
    b"traceparent",
    b"x-edx-api-key",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-prefix",
    b"x-forwarded-proto",
    b"x-forwarded-server",
    b"x-real-ip",
    b"x-request-id",
}
PREFIXES = (b"x-lectern-", b"x-internal-", b"x_lectern_", b"x-forwarded-")
ANSWER_DROPS = HOP_BY_HOP | {b"date", b"server", b"x-request-id"}
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,128}\Z")
_TRACEPARENT = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")
_HOST = re.compile(rb"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?\Z")
_COUNTRY = re.compile(rb"[A-Za-z]{2}\Z")

Header = tuple[bytes, bytes]


class Incoming:
    """A request's headers, read once."""

    __slots__ = (
        "api_key",
        "authorization",
        "authorizations",
        "chunked",
        "cookie",
        "country",
        "forwarded_for",
        "forwarded_host",
        "forwarded_proto",
        "host",
        "idempotency_key",
        "length",
        "misframed",
        "passed",
        "request_id",
        "size",
        "traceparent",
    )

    def __init__(self, headers: list[Header], country_header: bytes = b"") -> None:
        self.authorization = self.cookie = self.api_key = self.host = b""
        self.request_id = self.traceparent = self.country = b""
        self.forwarded_for = self.forwarded_host = self.forwarded_proto = b""
        self.authorizations = self.size = 0
        self.length = -1
        self.chunked = self.misframed = self.idempotency_key = False
        self.passed: list[Header] = []
        named: set[bytes] | None = None
        for field in headers:
            name, value = field
            self.size += len(name) + len(value) + 4
            if name in OURS:
                if name == b"connection":
                    named = (named or set()) | {part.strip().lower() for part in value.split(b",")}
                else:
                    self._keep(name, value)
            elif name.startswith(PREFIXES):
                continue
            else:
                if name == b"idempotency-key":
                    self.idempotency_key = True
                elif country_header and name == country_header:
                    self.country = value if _COUNTRY.match(value) else b""
                    continue
                self.passed.append(field)
        if named and (named := named - {b"close", b"keep-alive", b""}):
            self.passed = [field for field in self.passed if field[0] not in named]

    def _keep(self, name: bytes, value: bytes) -> None:
        if name == b"authorization":
            self.authorization = value
            self.authorizations += 1
        elif name == b"cookie":
            self.cookie = self.cookie + b"; " + value if self.cookie else value
        elif name == b"host":
            self.host = value
        elif name == b"content-length":
            self.misframed |= self.length >= 0 or self.chunked or not (value.isdigit() and len(value) < 19)
            self.length = 0 if self.misframed else int(value)
        elif name == b"transfer-encoding":
            self.misframed |= self.length >= 0 or self.chunked or value.strip().lower() != b"chunked"
            self.chunked = True
        elif name == b"x-edx-api-key":
            self.api_key = value
        elif name == b"x-request-id":
            self.request_id = value if _REQUEST_ID.match(value) else b""
        elif name == b"traceparent":
            self.traceparent = value if _TRACEPARENT.match(value) else b""
        elif name == b"x-forwarded-for":
            self.forwarded_for = self.forwarded_for + b"," + value if self.forwarded_for else value
        elif name == b"x-forwarded-host":
            self.forwarded_host = value
        elif name == b"x-forwarded-proto":
            self.forwarded_proto = value

    def cookie_value(self, name: bytes) -> bytes:
        for part in self.cookie.split(b";"):
            key, _, value = part.partition(b"=")
            if key.strip() == name:
                return value.strip()
        return b""


class Proxies:
    """Whose `X-Forwarded-*` is believed, and which host names absolute URLs may carry."""

    def __init__(self, trusted: tuple[str, ...], *, public_url: str, public_hosts: tuple[str, ...] = ()) -> None:
        self._networks: list[IPv4Network | IPv6Network] = [ip_network(text, strict=False) for text in trusted]
        self._known: dict[str, bool] = {}
        scheme, _, rest = public_url.partition("://")
        self._scheme, self._host = scheme.encode(), rest.rstrip("/").encode()
        self._hosts = {self._host, *(host.encode() for host in public_hosts)}

    def trusts(self, address: str) -> bool:
        if not self._networks:
            return False
        known = self._known.get(address)
        if known is None:
            known = self._known[address] = _within(address, self._networks)
            if len(self._known) > 10_000:
                self._known.clear()
        return known

    def client(self, peer: str, incoming: Incoming) -> str:
        """The client's address: the peer's, or the nearest one in `X-Forwarded-For` that is no trusted proxy."""
        if not incoming.forwarded_for or not self.trusts(peer):
            return peer
        for part in reversed(incoming.forwarded_for.split(b",")):
            text = part.strip().decode("latin-1")
            try:
                ip_address(text)
            except ValueError:
                break
            peer = text
            if not self.trusts(text):
                break
        return peer

    def base(self, peer: str, scheme: str, incoming: Incoming) -> tuple[bytes, bytes]:
        """Scheme and host for absolute URLs.

        A trusted proxy's word counts; a client's own Host only when it is a loopback name or one of the public hosts,
        since anything else would let a caller choose where our links lead.
        """
        if incoming.forwarded_host and self.trusts(peer) and _HOST.match(incoming.forwarded_host):
            proto = incoming.forwarded_proto if incoming.forwarded_proto in (b"http", b"https") else self._scheme
            return proto, incoming.forwarded_host
        host = incoming.host
        if host in self._hosts:
            return self._scheme, host
        name = host.rpartition(b":")[0] if b":" in host and not host.endswith(b"]") else host
        if name in (b"localhost", b"127.0.0.1", b"[::1]") and _HOST.match(host):
            return scheme.encode(), host
        return self._scheme, self._host


def _within(address: str, networks: list[IPv4Network | IPv6Network]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(mapped in network for network in networks)


def answer_headers(headers: list[Header], status: int) -> list[Header]:
    """What of a service's answer goes to the client: end to end headers, duplicates kept, in their order."""
    drops = ANSWER_DROPS
    if status in (204, 304):
        drops = drops | {b"content-length"}  # the server refuses a length without a body
    for name, value in headers:
        if name == b"connection":
            drops = drops | {part.strip().lower() for part in value.split(b",")}
    return [field for field in headers if field[0] not in drops and not field[0].startswith(b"x-lectern-")]
