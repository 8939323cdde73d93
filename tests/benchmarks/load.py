"""A keep-alive load generator: raw requests on c connections, answers counted by an HTTP parser, bounded in number."""

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from httptools import HttpResponseParser


@dataclass
class Result:
    seconds: float
    statuses: dict[int, int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        return sum(self.statuses.values())


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], statuses: dict[int, int], done: asyncio.Future[None]) -> None:
        self._requests, self._statuses, self._done = requests, statuses, done
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            if not self._done.done():
                self._done.set_result(None)
            return
        self._parser = HttpResponseParser(self)
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        self._statuses[status] = self._statuses.get(status, 0) + 1
        asyncio.get_running_loop().call_soon(self._next)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_exception(error or ConnectionError("closed before the answer"))


async def run(host: str, port: int, requests: Sequence[bytes], *, connections: int, total: int) -> Result:
    """Send *total* requests, cycling through *requests*, over *connections* keep-alive connections."""
    loop = asyncio.get_running_loop()
    turn = itertools.islice(itertools.cycle(requests), total)
    statuses: dict[int, int] = {}
    waits = []
    started = time.perf_counter()
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        waits.append(done)
        await loop.create_connection(lambda done=done: _Connection(turn, statuses, done), host, port)
    await asyncio.gather(*waits)
    return Result(time.perf_counter() - started, statuses)
