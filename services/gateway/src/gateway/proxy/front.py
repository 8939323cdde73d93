"""The gateway's ASGI application: finds the target, the caller and the limit, then forwards or answers itself."""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

import structlog
from fastapi import FastAPI
from joserfc.jwk import OKPKey
from prometheus_client import Counter, Histogram
from starlette.types import Message, Receive, Scope, Send

from common.database import DATABASE_AWAY
from common.errors import ErrorStyle, problem_style
from common.telemetry import REQUESTS, SECONDS
from gateway.limits.limiter import Limiter
from gateway.proxy.access_log import AccessLog
from gateway.proxy.answers import (
    Denied,
    denied_by_credentials,
    denied_by_failure,
    denied_by_limit,
    send_denied,
)
from gateway.proxy.errors import BodyTooLarge, ClientGone, ClientStalled, Failure, Unconfigured
from gateway.proxy.forward import Forwarder, Outgoing, linger
from gateway.proxy.headers import LONGEST_URL, MOST_BYTES, MOST_FIELDS, Header, Incoming, Proxies
from gateway.proxy.table import GATEWAY, Table, Target
from gateway.proxy.upstream import HIGH_WATER, Upstream, sweep_for_ever
from gateway.tokens.credentials import Authenticator
from gateway.tokens.errors import BadCredentials
from gateway.tokens.principals import Principal

log = structlog.get_logger()
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS"})
FLUSH_SECONDS, SWEEP_SECONDS = 0.5, 30.0
OWN_BODY_SECONDS = 30.0
_HEALTH = ("/health/", "/metrics")


@dataclass(frozen=True)
class Parts:
    """What the front works with; made in the composition root."""

    state: Mapping[str, object]
    table: Table
    upstreams: Mapping[str, Upstream]
    authenticator: Authenticator
    limiter: Limiter
    proxies: Proxies
    metrics_allowed: Proxies
    key: OKPKey
    access_log: AccessLog
    country_header: bytes


class Front:
    """One per process. The data path in it is free of FastAPI: a request to a service meets only this file's code.

    `features` answers what is the gateway's own; the parts are made when the server starts.
    """

    def __init__(self, features: FastAPI, assemble: Callable[[], Awaitable[Parts]]) -> None:
        self.features = features
        self._assemble = assemble
        self._forwarder = Forwarder()
        self._parts: Parts
        self._tasks: list[asyncio.Task[None]] = []
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._histograms: dict[tuple[str, str], Histogram] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)

    # -- life -----------------------------------------------------------------------------------------------------

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except Exception as error:
            log.critical("start_failed", exc_info=error)
            await send({"type": "lifespan.startup.failed", "message": repr(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def start(self) -> None:
        self._parts = await self._assemble()
        self._tasks = [
            asyncio.create_task(sweep_for_ever(list(self._parts.upstreams.values())), name="sweep"),
            asyncio.create_task(self._flush_for_ever(), name="access log"),
            asyncio.create_task(self._forget_for_ever(), name="limits"),
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for upstream in self._parts.upstreams.values():
            upstream.close()
        self._parts.access_log.flush()

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self._parts.access_log.flush()

    async def _forget_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._parts.limiter.sweep()

    # -- one request ----------------------------------------------------------------------------------------------

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        parts = self._parts
        method: str = scope["method"]
        path: str = scope["path"]
        incoming = Incoming(scope["headers"], parts.country_header)
        request_id = incoming.request_id.decode() or uuid.uuid4().hex
        peer: str = scope["client"][0] if scope.get("client") else ""
        address = parts.proxies.client(peer, incoming)
        target = parts.table.find(path)
        style: ErrorStyle = target.style if target is not None else problem_style
        extra: list[Header] = [(b"x-request-id", request_id.encode())]
        principal: Principal | None = None
        status = 500
        try:
            if target is None or (target.prefix == "/metrics" and not self._may_see_metrics(peer, incoming)):
                target = None
                raise Denied(404, "not_found", "Not found.")
            _check_size(scope, incoming)
            principal = await self._principal(target, incoming, method)
            if principal.only_reads and method not in IDEMPOTENT:
                raise Denied(403, "insufficient_scope", "The scopes of this token are for reading only.")
            rate = parts.limiter.rate_class(method, path)
            if rate is not None:
                decision = await parts.limiter.decide(rate, principal.caller, address=address, client=principal.client)
                extra.extend(decision.headers)
                if not decision.allowed:
                    raise denied_by_limit(decision)
            identity = principal.token(target.service, parts.key)
            said = self._said(scope, incoming, identity, request_id, peer, address)
            if target.service == GATEWAY:
                status = await self._answer_itself(scope, receive, send, target, incoming, said, extra)
            else:
                status = await self._pass_on(scope, receive, send, target, incoming, said, extra)
        except Denied as denied:
            status = denied.status
            await self._deny(scope, receive, send, denied, incoming, style, extra)
        except ClientGone:
            status = 499
        except Failure as failure:
            status = failure.status
            log.warning("upstream_failure", code=failure.code, service=target.service if target else None)
            await self._deny(scope, receive, send, denied_by_failure(failure), incoming, style, extra)
        finally:
            seconds = perf_counter() - started
            route = target.prefix if target is not None else "unmatched"
            if target is None or target.service != GATEWAY:
                self._count(method if method in METHODS else "OTHER", route, status, seconds)
            if not path.startswith(_HEALTH):
                parts.access_log.add(
                    request_id=request_id,
                    method=method,
                    route=route,
                    path=path,
                    status=status,
                    seconds=seconds,
                    user_id=principal.caller.user_id if principal is not None else None,
                    address=address,
                )

    async def _principal(self, target: Target, incoming: Incoming, method: str) -> Principal:
        """Raises `Denied`."""
        authenticator = self._parts.authenticator
        if target.credentials == "own":
            return authenticator.anonymous(incoming)
        try:
            return authenticator.known(incoming, method) or await authenticator.resolve(incoming, method)
        except BadCredentials as bad:
            if target.credentials == "lenient":
                return authenticator.anonymous(incoming)
            raise denied_by_credentials(bad, target.style) from bad
        except DATABASE_AWAY as error:
            log.error("credentials_unreadable", error=repr(error))
            retry = ((b"retry-after", b"1"),)
            raise Denied(503, "unavailable", "Credentials cannot be checked just now.", headers=retry) from error

    def _said(
        self, scope: Scope, incoming: Incoming, identity: bytes, request_id: str, peer: str, address: str
    ) -> list[Header]:
        """The headers that only the gateway sets."""
        proto, host = self._parts.proxies.base(peer, scope["scheme"], incoming)
        said = [
            (b"x-lectern-identity", identity),
            (b"x-request-id", request_id.encode()),
            (b"x-lectern-client-address", address.encode("latin-1", "replace")),
            (b"x-forwarded-host", host),
            (b"x-forwarded-proto", proto),
        ]
        if incoming.country and self._parts.proxies.trusts(peer):
            said.append((b"x-lectern-client-country", incoming.country.upper()))
        if incoming.traceparent:
            said.append((b"traceparent", incoming.traceparent))
        return said

    async def _pass_on(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        target: Target,
        incoming: Incoming,
        said: list[Header],
        extra: list[Header],
    ) -> int:
        upstream = self._parts.upstreams.get(target.service)
        if upstream is None:
            raise Unconfigured
        method: str = scope["method"]
        url = scope["raw_path"]
        if scope["query_string"]:
            url = b"%b?%b" % (url, scope["query_string"])
        fields = b"".join([b"%b: %b\r\n" % field for field in [*incoming.passed, *said]])
        head = b"%b %b HTTP/1.1\r\nhost: %b\r\n%b" % (method.encode(), url, upstream.authority.encode(), fields)
        outgoing = Outgoing(
            method=method,
            head=head,
            length=incoming.length,
            chunked=incoming.chunked,
            body_limit=target.body,
            timeout=target.timeout,
            repeatable=method in IDEMPOTENT or incoming.idempotency_key,
            extra=extra,
        )
        return await self._forwarder.forward(upstream, outgoing, receive, send)

    async def _answer_itself(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        target: Target,
        incoming: Incoming,
        said: list[Header],
        extra: list[Header],
    ) -> int:
        """The gateway's own features are a service like the others, and get the same headers."""
        # a last newline becomes a NUL further in, so that no key before it is found
        if "\0" in scope["path"] or scope["path"].endswith("\n") or b"%00" in scope["query_string"]:
            raise Denied(400, "invalid", "A NUL character is not allowed here.")
        body = await _body_within(receive, target.body) if incoming.length > 0 or incoming.chunked else b""
        kept = [(name, value) for name, value in incoming.passed if name != b"content-length"]
        kept.append((b"content-length", b"%d" % len(body)))
        if incoming.host:
            kept.append((b"host", incoming.host))
        if incoming.cookie:
            kept.append((b"cookie", incoming.cookie))
        if incoming.authorization:
            kept.extend([(b"authorization", incoming.authorization)] * incoming.authorizations)
        head = scope["method"] == "HEAD"  # answered as GET, without the body
        own_scope = {
            **scope,
            "method": "GET" if head else scope["method"],
            "headers": [*kept, *said],
            "state": {**scope.get("state", {}), **self._parts.state},
        }
        status = 500
        told = False

        async def receive_again() -> Message:
            nonlocal told
            if told:
                return await receive()
            told = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if _changes_callers(own_scope["method"], scope["path"]) and status < 400:
                    self._parts.authenticator.forget()  # before the answer: whoever has it may act on it at once
                # the request id is on it already
                message = {**message, "headers": [*message.get("headers", ()), *extra[1:]]}
            elif head:
                message = {**message, "body": b""}
            await send(message)

        await self.features(own_scope, receive_again, sending)
        return status

    def _may_see_metrics(self, peer: str, incoming: Incoming) -> bool:
        """Metrics are for the operator's network, never for what came through a proxy."""
        return not incoming.forwarded_for and self._parts.metrics_allowed.trusts(peer)

    async def _deny(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        denied: Denied,
        incoming: Incoming,
        style: ErrorStyle,
        extra: list[Header],
    ) -> None:
        if incoming.chunked or incoming.length > HIGH_WATER:
            extra.append((b"connection", b"close"))
            await linger(receive)
        head = scope["method"] == "HEAD"
        with contextlib.suppress(OSError):
            await send_denied(send, denied, style=style, extra=extra, path=scope["path"], head=head)

    def _count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Children are kept: looking them up by label costs more than counting."""
        counter = self._counters.get((method, route, status))
        if counter is None:
            counter = self._counters[method, route, status] = REQUESTS.labels(GATEWAY, method, route, status)
        counter.inc()
        histogram = self._histograms.get((method, route))
        if histogram is None:
            histogram = self._histograms[method, route] = SECONDS.labels(GATEWAY, method, route)
        histogram.observe(seconds)


def _changes_callers(method: str, path: str) -> bool:
    """Whether it may have changed someone whom this process knows; a new account is known to nobody."""
    if method in IDEMPOTENT or not path.startswith("/api/accounts/v1/"):
        return False
    return (method, path.rstrip("/")) != ("POST", "/api/accounts/v1/users")


def _check_size(scope: Scope, incoming: Incoming) -> None:
    """Raises `Denied` for URLs and heads that no honest client sends."""
    if incoming.misframed:  # the server starts a request before it has seen that its body cannot be read
        raise Denied(400, "misframed", "The length of the request body is not clear.")
    if len(scope["raw_path"]) + len(scope["query_string"]) > LONGEST_URL:
        raise Denied(414, "url_too_long", "The URL is too long.")
    if incoming.size > MOST_BYTES or len(scope["headers"]) > MOST_FIELDS:
        raise Denied(431, "headers_too_large", "The request headers are too large.")


async def _body_within(receive: Receive, limit: int) -> bytes:
    """A body for the gateway itself, whole. Raises `BodyTooLarge`, `ClientGone`, `ClientStalled`."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(OWN_BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                chunk: bytes = message.get("body", b"")
                size += len(chunk)
                if size > limit:
                    raise BodyTooLarge
                parts.append(chunk)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError as error:
        raise ClientStalled from error
