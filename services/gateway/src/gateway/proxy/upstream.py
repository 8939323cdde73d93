"""The keep-alive HTTP/1.1 client of the data path: one protocol object per connection, one sweep for all timeouts.

A general client costs fifty times as much per request. What makes this one short: a connection carries one request at a
time, headers stay raw, and nothing is timed by a timer of its own.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateway.proxy.breaker import Breaker
from gateway.proxy.errors import Failure, Lost, Overloaded, TimedOut, Unreachable

HIGH_WATER = 65_536
"""A known body up to here is passed on whole; beyond it reading pauses until the client has taken what is there."""
NEVER = float("inf")


class Connection(asyncio.Protocol):
    """One connection to a service and the one exchange it may carry."""

    __slots__ = (
        "_by_hand",
        "_expiry",
        "_interim",
        "_loop",
        "_parser",
        "_pool",
        "_reading",
        "_room",
        "_waiter",
        "_writable",
        "busy",
        "chunks",
        "deadline",
        "done",
        "error",
        "framed",
        "got",
        "head_only",
        "headers",
        "idle_since",
        "keep",
        "length",
        "on_slow",
        "ready",
        "reused",
        "size",
        "slow_at",
        "status",
        "transport",
    )

    def __init__(self, pool: "Upstream", loop: asyncio.AbstractEventLoop) -> None:
        self._pool, self._loop = pool, loop
        self.transport: asyncio.Transport | None = None
        self._parser: HttpResponseParser | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._writable = self._reading = True
        self.busy = self.reused = False
        self.idle_since = 0.0
        self._reset(head_only=False)

    def _reset(self, *, head_only: bool) -> None:
        self.head_only = head_only
        self.status, self.length = 0, -1
        self.headers: list[tuple[bytes, bytes]] = []
        self.chunks: list[bytes] = []
        self.size = 0
        self.ready = self.done = self.got = self.framed = self.keep = False
        self._interim = self._by_hand = False
        self.error: Failure | None = None
        self.deadline = self.slow_at = NEVER
        self._expiry: type[Failure] = TimedOut
        self.on_slow: Callable[[], None] | None = None

    # -- one exchange, as the forwarder drives it -------------------------------------------------------------------

    def begin(self, *, head_only: bool) -> None:
        """Start an exchange; the connection must be idle."""
        if self._parser is None or self._by_hand:
            self._parser = HttpResponseParser(self)
        self._reset(head_only=head_only)
        self.busy = True

    def write(self, data: bytes) -> None:
        if self.transport is not None and self.error is None:
            self.transport.write(data)

    def guard(self, seconds: float, expiry: type[Failure] = TimedOut) -> None:
        """Fail with *expiry* unless the next step is done within *seconds*."""
        self.deadline = monotonic() + seconds
        self._expiry = expiry

    async def room(self) -> None:
        """Wait until the service takes more of the request body, or has answered, or is gone."""
        while not (self._writable or self.ready or self.error):
            self._room = self._loop.create_future()
            await self._room
        self._room = None

    async def head(self) -> None:
        """Wait for the answer's head, or for the whole answer when it is short. Raises `Failure`."""
        while not self.ready:
            if self.error is not None:
                raise self.error
            await self._wait()
        self.slow_at = NEVER

    async def more(self) -> None:
        """Wait until there are bytes to pass on, or the answer has ended. Raises `Failure`."""
        while not (self.chunks or self.done):
            if self.error is not None:
                raise self.error
            await self._wait()

    def take(self) -> bytes:
        """What has arrived so far; reading goes on."""
        data = self.chunks[0] if len(self.chunks) == 1 else b"".join(self.chunks)
        self.chunks.clear()
        self.size = 0
        if not self._reading and self.transport is not None:
            self._reading = True
            self.transport.resume_reading()
        return data

    def fail(self, failure: Failure) -> None:
        """End the exchange with *failure*; the connection is not used again."""
        if self.error is None and not (self.done and self.ready):
            self.error = failure
        self.keep = False
        self._wake()
        self.abort()

    def abort(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.abort()

    def expire(self) -> None:
        """The guard's time is over."""
        self.fail(self._expiry())

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        for waiter in (self._waiter, self._room):
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    # -- asyncio.Protocol -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's transports share no class with asyncio's

    def data_received(self, data: bytes) -> None:
        if not self.busy or self._parser is None:
            self.abort()  # bytes nobody asked for: what follows them could be taken for the next answer
            return
        self.got = True
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            if not self.done:
                self.fail(Lost())
            self.keep = False
            return
        if self.size > HIGH_WATER and self._reading and not self.done and self.transport is not None:
            self._reading = False
            self.transport.pause_reading()
        if self.ready:
            self._wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.busy:
            self._pool.forget(self)
        elif not self.done:
            if self.status and not self._interim and not self.framed and exc is None:
                self.done = self.ready = True  # a body that ends with the connection
            elif self.error is None:
                self.error = Lost()
        self.keep = False
        self._writable = True
        self.transport = None
        self._wake()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    # -- httptools --------------------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.done:
            self.keep = False  # a second answer to one request

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.done:
            return
        lower = name.lower()
        if lower == b"content-length":
            self.length = int(value) if value.isdigit() else -1
            self.framed = True
        elif lower == b"transfer-encoding":
            self.framed = True
        self.headers.append((lower, value))

    def on_headers_complete(self) -> None:
        if self.done or self._parser is None:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._interim = True
            return
        self._interim = False
        self.status = status
        self.keep = self._parser.should_keep_alive()
        if self.head_only or status in (204, 304):
            # the parser would wait for the body that content-length announces; the next exchange gets a new one
            self._by_hand = self.framed = self.ready = self.done = True
        elif self.length < 0 or self.length > HIGH_WATER:
            self.ready = True

    def on_body(self, body: bytes) -> None:
        if not self.done:
            self.chunks.append(body)
            self.size += len(body)

    def on_message_complete(self) -> None:
        if self._interim:
            self._interim = False
            self.headers.clear()
            self.length, self.framed = -1, False
        else:
            self.ready = self.done = True


class Upstream:
    """The connections to one service."""

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        *,
        idle_seconds: float = 4.0,
        connect_seconds: float = 1.0,
        connections: int = 400,
    ) -> None:
        # an idle connection must go before the service closes it, else every pause ends in a stale one
        self.name, self.host, self.port = name, host, port
        self.authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.breaker = Breaker()
        self._idle_seconds, self._connect_seconds, self._limit = idle_seconds, connect_seconds, connections
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._connecting = 0

    @property
    def idle(self) -> int:
        return len(self._idle)

    @property
    def busy(self) -> int:
        return len(self._busy)

    def ready_connection(self) -> Connection | None:
        """The connection used last, when one waits."""
        while self._idle:
            connection = self._idle.pop()
            if connection.transport is not None and not connection.transport.is_closing():
                connection.reused = True
                self._busy.add(connection)
                return connection
        return None

    async def new_connection(self) -> Connection:
        """Raises `Unreachable`, `TimedOut`, `Overloaded`."""
        if len(self._busy) + self._connecting >= self._limit:
            raise Overloaded
        loop = asyncio.get_running_loop()
        self._connecting += 1
        try:
            async with asyncio.timeout(self._connect_seconds):
                _, connection = await loop.create_connection(lambda: Connection(self, loop), self.host, self.port)
        except TimeoutError as error:
            raise TimedOut from error
        except OSError as error:
            raise Unreachable from error
        finally:
            self._connecting -= 1
        self._busy.add(connection)
        return connection

    def release(self, connection: Connection) -> None:
        """Take a connection back; one whose exchange did not end cleanly is closed."""
        self._busy.discard(connection)
        clean = connection.keep and connection.done and connection.error is None
        connection.busy = False
        connection.deadline = connection.slow_at = NEVER
        connection.on_slow = None
        connection.chunks.clear()
        if clean and connection.transport is not None:
            connection.idle_since = monotonic()
            self._idle.append(connection)
        else:
            connection.abort()

    def forget(self, connection: Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)

    def sweep(self, now: float) -> None:
        """Expire what is late, close what idled too long."""
        for connection in list(self._busy):
            if now > connection.deadline:
                connection.deadline = NEVER
                connection.expire()
            elif now > connection.slow_at:
                connection.slow_at = NEVER
                if connection.on_slow is not None:
                    connection.on_slow()
        while self._idle and now - self._idle[0].idle_since > self._idle_seconds:
            self._idle.pop(0).abort()

    def close(self) -> None:
        for connection in [*self._idle, *self._busy]:
            connection.abort()
        self._idle.clear()


async def sweep_for_ever(upstreams: "list[Upstream]", every: float = 0.25) -> None:
    """The one clock of the data path."""
    while True:
        await asyncio.sleep(every)
        now = monotonic()
        for upstream in upstreams:
            upstream.sweep(now)
