"""Carries one request to a service and its answer back, streaming both ways without holding either."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from starlette.types import Receive, Send

from gateway.proxy.breaker import RetryBudget
from gateway.proxy.errors import (
    BodyTooLarge,
    ClientGone,
    ClientStalled,
    Failure,
    Lost,
    Overloaded,
    TimedOut,
    Unreachable,
)
from gateway.proxy.headers import Header, answer_headers
from gateway.proxy.upstream import HIGH_WATER, NEVER, Connection, Upstream

IDLE_BODY_SECONDS = 30.0
WRITE_SECONDS = 10.0
SLOW_AFTER = 1.0
LINGER_SECONDS, LINGER_MESSAGES = 0.5, 256
REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})


class Cut(Exception):
    """The service broke off after the head of its answer had gone to the client.

    Raised to the server, which then closes the connection: the client sees a short body, never a complete one.
    """


@dataclass(slots=True)
class Outgoing:
    """A request as it goes to a service: its head without framing headers, and how its body arrives."""

    method: str
    head: bytes
    length: int
    chunked: bool
    body_limit: int
    timeout: float
    repeatable: bool
    extra: Sequence[Header] = field(default=())

    @property
    def streams(self) -> bool:
        return self.chunked or self.length > HIGH_WATER


class Forwarder:
    """Sends requests to services; holds the retry budget."""

    def __init__(self) -> None:
        self._budget = RetryBudget()

    async def forward(self, upstream: Upstream, request: Outgoing, receive: Receive, send: Send) -> int:
        """The status that went to the client. Raises `Failure` while nothing has been sent, `Cut` afterwards."""
        if request.length > request.body_limit:
            raise BodyTooLarge
        body = b""
        if request.length > 0 and not request.streams:
            body = await _whole_body(receive, request.length)
        if not upstream.breaker.allows(monotonic()):
            raise Overloaded
        self._budget.earn()
        watch = _Watch(receive)
        connection: Connection | None = None
        try:
            connection = await self._reach(upstream, request, body, receive, watch)
            return await self._answer(connection, request, watch, send)
        finally:
            watch.stop()
            if connection is not None:
                upstream.release(connection)

    async def _reach(
        self, upstream: Upstream, request: Outgoing, body: bytes, receive: Receive, watch: "_Watch"
    ) -> Connection:
        """A connection that has the answer's head. What happens on the way decides whether the breaker opens."""
        told = False
        try:
            if request.streams:
                connection = await self._upload(upstream, request, receive)
            else:
                connection = await self._ask(upstream, request, body, watch)
            upstream.breaker.succeeded()
            told = True
        except (Lost, TimedOut):
            upstream.breaker.failed(monotonic())
            told = True
            raise
        finally:
            if not told:
                upstream.breaker.undecided()
        return connection

    async def _ask(self, upstream: Upstream, request: Outgoing, body: bytes, watch: "_Watch") -> Connection:
        """Send a request whose body is at hand; once more when a kept connection turned out to be stale."""
        payload = b"%bcontent-length: %d\r\n\r\n%b" % (request.head, len(body), body)
        if not body and request.length < 0:
            payload = request.head + b"\r\n"
        connection, again = upstream.ready_connection(), False
        while True:
            if connection is None:
                try:
                    connection = await upstream.new_connection()
                except Unreachable:
                    if again or not self._budget.spend():
                        raise
                    again = True
                    await asyncio.sleep(random.uniform(0.02, 0.08))  # noqa: S311 - jitter, not a secret
                    continue
            connection.begin(head_only=request.method == "HEAD")
            connection.guard(request.timeout)
            connection.slow_at = connection.deadline - request.timeout + SLOW_AFTER
            connection.on_slow = watch.starter(connection)
            connection.write(payload)
            try:
                await connection.head()
            except Lost:
                stale = connection.reused and not connection.got
                upstream.release(connection)
                if again or not (stale and request.repeatable and self._budget.spend()):
                    raise
                again = True
                connection = await upstream.new_connection()
            except BaseException:
                upstream.release(connection)
                raise
            else:
                return connection

    async def _upload(self, upstream: Upstream, request: Outgoing, receive: Receive) -> Connection:
        """Send a body as it arrives, on a connection of its own: a stale one could not be replaced half-way."""
        connection = await upstream.new_connection()
        connection.begin(head_only=request.method == "HEAD")
        framing = b"transfer-encoding: chunked\r\n\r\n" if request.chunked else b"content-length: %d\r\n\r\n"
        connection.write(request.head + (framing if request.chunked else framing % request.length))
        pump = asyncio.create_task(_pump(connection, request, receive))
        pump.add_done_callback(lambda task: _report(task, connection))
        try:
            await connection.head()
            if not pump.done():
                # answered before the body was over: read on for a moment, or our closing would reset the answer away
                connection.deadline = NEVER
                await asyncio.wait({pump}, timeout=LINGER_SECONDS)
                request.extra = [*request.extra, (b"connection", b"close")]
                connection.keep = False
        except BaseException:
            upstream.release(connection)
            raise
        finally:
            pump.cancel()
        return connection

    async def _answer(self, connection: Connection, request: Outgoing, watch: "_Watch", send: Send) -> int:
        status = connection.status
        headers = answer_headers(connection.headers, status)
        headers.extend(request.extra)
        connection.deadline = NEVER
        whole = connection.done
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if whole:
            await send({"type": "http.response.body", "body": connection.take(), "more_body": False})
            return status
        watch.start(connection)
        try:
            while True:
                if not connection.chunks and not connection.done:
                    connection.guard(IDLE_BODY_SECONDS)
                    await connection.more()
                    connection.deadline = NEVER
                last = connection.done
                await send({"type": "http.response.body", "body": connection.take(), "more_body": not last})
                if last:
                    return status
        except ClientGone:
            return status
        except Failure as failure:
            raise Cut(failure.message) from failure


class _Watch:
    """Notices that the client has gone while it waits or is being streamed to, and then aborts the upstream.

    Only a slow or streamed answer gets one: a task per request would cost more than the request.
    """

    __slots__ = ("_receive", "_task")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._task: asyncio.Task[None] | None = None

    def start(self, connection: Connection) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._until_gone(connection))

    def starter(self, connection: Connection):  # type: ignore[no-untyped-def]
        return lambda: self.start(connection)

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _until_gone(self, connection: Connection) -> None:
        # the first message of a request without a body is an empty http.request, not a disconnect
        while (await self._receive())["type"] != "http.disconnect":
            pass
        connection.fail(ClientGone())


async def _whole_body(receive: Receive, length: int) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientGone
    if not message.get("more_body", False):
        return body
    parts = [body]
    try:
        async with asyncio.timeout(IDLE_BODY_SECONDS):
            while message.get("more_body", False):
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                parts.append(message.get("body", b""))
    except TimeoutError as error:
        raise ClientStalled from error
    return b"".join(parts)


async def _pump(connection: Connection, request: Outgoing, receive: Receive) -> None:
    """Carry the request body over; the service's pace holds the client's back."""
    sent = lingered = 0
    while True:
        if not connection.ready:
            connection.guard(IDLE_BODY_SECONDS, ClientStalled)
        message = await receive()
        if message["type"] == "http.disconnect":
            connection.fail(ClientGone())
            return
        chunk: bytes = message.get("body", b"")
        more: bool = message.get("more_body", False)
        if connection.ready:
            lingered += 1
            if not more or lingered > LINGER_MESSAGES:
                return
            continue
        sent += len(chunk)
        if sent > request.body_limit:
            connection.fail(BodyTooLarge())
            return
        if chunk:
            connection.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if request.chunked else chunk)
        if not more:
            if request.chunked:
                connection.write(b"0\r\n\r\n")
            connection.guard(request.timeout)
            return
        connection.guard(WRITE_SECONDS)
        await connection.room()
        if connection.error is not None:
            return


def _report(task: "asyncio.Task[None]", connection: Connection) -> None:
    if not task.cancelled() and task.exception() is not None:
        connection.fail(Lost())


async def linger(receive: Receive) -> None:
    """Read on from a client whose body nobody wants, shortly, so that it can read the answer before we close."""
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            for _ in range(LINGER_MESSAGES):
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


async def fetch(upstream: Upstream, path: str, *, timeout: float = 2.0, most: int = 8_000_000) -> tuple[int, bytes]:
    """GET a small document of a service for the gateway itself. Raises `Failure`."""
    connection = await upstream.new_connection()
    try:
        connection.begin(head_only=False)
        connection.guard(timeout)
        connection.write(f"GET {path} HTTP/1.1\r\nhost: {upstream.authority}\r\n\r\n".encode())
        await connection.head()
        body = b""
        while True:
            if connection.chunks:
                body += connection.take()
            if len(body) > most:
                raise Lost
            if connection.done:
                return connection.status, body
            await connection.more()
    finally:
        upstream.release(connection)
