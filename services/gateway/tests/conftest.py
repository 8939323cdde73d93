"""A gateway in front of scripted services: in this process for its features, as a real process for the data path."""

import asyncio
import dataclasses
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

import httpx
import pytest
from joserfc.jwk import RSAKey

from common.resources import open_resources
from common.testing.identity import TestKeys
from common.testing.waiting import until
from gateway.app import create_app
from gateway.context import Gateway
from gateway.proxy.front import Front
from gateway.proxy.table import SERVICES
from gateway.settings import Settings

CLIENT_ID, CLIENT_SECRET = "robots", "a-secret-of-the-test-run"
API_KEY = "the-servers-key"


OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"


class Exchange:
    """One request as it arrived, and the connection to answer on."""

    def __init__(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.head, self.reader, self.writer = head, reader, writer
        self.number = number
        """The how-manieth request on this connection, from 1."""
        line, *rest = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        self.line = line
        self.headers = [(name.lower(), value) for name, _, value in (field.partition(": ") for field in rest)]

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name]
        assert len(values) < 2, f"{name} was sent twice"
        return values[0] if values else None

    async def body(self) -> bytes:
        if (length := self.header("content-length")) is not None:
            return await self.reader.readexactly(int(length))
        if self.header("transfer-encoding") != "chunked":
            return b""
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
        assert await self.reader.readexactly(2) == b"\r\n"
        return body

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def cut(self) -> None:
        """End the connection at once, with a reset."""
        self.writer.transport.abort()


Script = Callable[[Exchange], Awaitable[None]]


async def answer_ok(exchange: Exchange) -> None:
    await exchange.body()
    await exchange.send(OK)


class ScriptedService:
    """Serves requests with `script`; remembers them and the connections they came on."""

    OK = OK

    def __init__(self) -> None:
        self.script: Script = answer_ok
        self.seen: list[Exchange] = []
        self.connections = 0
        self.closed = 0
        self.url = ""
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=4096)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.drop_all()

    def play(self, script: Script = answer_ok) -> None:
        self.script = script
        self.seen.clear()
        self.connections = self.closed = 0

    @property
    def live(self) -> int:
        """Connections that are open now."""
        return len(self._writers)

    def drop_all(self) -> None:
        """End every connection from this side."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        number = 0
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                number += 1
                exchange = Exchange(head, reader, writer, number)
                self.seen.append(exchange)
                await self.script(exchange)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.closed += 1
            self._writers.discard(writer)
            writer.close()


@pytest.fixture(scope="session")
def token_key() -> str:
    return json.dumps(RSAKey.generate_key(2048, auto_kid=True).as_dict(private=True))


@pytest.fixture(scope="session")
def database_url(make_database: Callable[..., str]) -> str:
    return make_database("gateway")


@pytest.fixture(scope="session")
def values(
    database_url: str, keys: TestKeys, token_key: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, object]:
    """Settings of a test gateway, by name."""
    return {
        "database_url": database_url,
        "amqp_url": "amqp://guest:guest@127.0.0.1:1/",
        "blobs_url": f"file://{tmp_path_factory.mktemp('blobs')}",
        "http_port": 1,
        "topology_file": "contracts/topology.yaml",
        "internal_private_key": keys.private,
        "token_private_key": token_key,
        "token_pepper": "pepper-of-the-test-run",
        "admin_client_id": CLIENT_ID,
        "admin_client_secret": CLIENT_SECRET,
        "edx_api_key": API_KEY,
        "upstreams": dict.fromkeys(SERVICES, "http://127.0.0.1:9"),
        "token_issuer": "https://issuer.example.org",
        "rate_limits": "off",
        "access_log": False,
        "database_pool": 4,
    }


@pytest.fixture(scope="session")
async def make_gateway(values: dict[str, object]) -> AsyncIterator[Callable[..., object]]:
    """`await make_gateway(rate_limits="on")` → an HTTP client of a gateway in this process."""
    async with AsyncExitStack() as stack:

        async def make(**changes: object) -> httpx.AsyncClient:
            settings = Settings(**{**values, **changes})  # type: ignore[arg-type]
            resources = await stack.enter_async_context(open_resources("gateway", settings))
            app = create_app(resources)
            assert isinstance(app, Front)
            await app.start()
            stack.push_async_callback(app.stop)
            transport = httpx.ASGITransport(app)
            client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000")
            return await stack.enter_async_context(client)

        yield make


@pytest.fixture(scope="session")
async def client(make_gateway: Callable[..., object]) -> httpx.AsyncClient:
    """A gateway without limits; its services do not answer."""
    made = await make_gateway()  # type: ignore[misc]
    assert isinstance(made, httpx.AsyncClient)
    return made


@pytest.fixture(scope="session")
def credentials() -> dict[str, str]:
    """The first client's grant, as form fields."""
    return {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


async def _token(client: httpx.AsyncClient, form: dict[str, str]) -> str:
    answer = await client.post("/oauth2/access_token", data=form)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


@pytest.fixture(scope="session")
async def staff(client: httpx.AsyncClient, credentials: dict[str, str]) -> dict[str, str]:
    """Headers of the first administrator."""
    return {"Authorization": f"JWT {await _token(client, {**credentials, 'token_type': 'jwt'})}"}


@pytest.fixture
async def a_user(client: httpx.AsyncClient, staff: dict[str, str]) -> Callable[..., object]:
    """`await a_user("alice", is_staff=True)` → the account as the API gives it, with a token of its own."""

    async def make(username: str, **fields: object) -> dict[str, object]:
        body = {"username": username, "email": f"{username}@example.com", **fields}
        answer = await client.post("/api/accounts/v1/users", json=body, headers=staff)
        assert answer.status_code == 201, answer.text
        token = await client.post("/api/accounts/v1/tokens", json={"username": username}, headers=staff)
        assert token.status_code == 201, token.text
        return answer.json() | {"headers": {"Authorization": f"Token {token.json()['token']}"}}

    return make


@pytest.fixture(scope="session")
async def service() -> AsyncIterator[ScriptedService]:
    """The four services, played by one scripted socket server."""
    async with ScriptedService() as played:
        yield played


@pytest.fixture(scope="session")
async def gateway_process(
    values: dict[str, object], service: ScriptedService, repository: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m gateway serve`, with the event loop, server and settings it runs with everywhere."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    changes = {
        "http_port": port,
        "upstreams": json.dumps(dict.fromkeys(SERVICES, service.url)),
        "trusted_proxies": "127.0.0.2",
        "public_url": "https://lectern.example.org",
        "log_level": "WARNING",
        "country_header": "X-Country",
    }
    environment = {f"LECTERN_{name.upper()}": str(value) for name, value in {**values, **changes}.items()}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LECTERN_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "serve", env={**kept, **environment}, cwd=repository
    )
    process.port = port  # type: ignore[attr-defined]

    async def answers() -> bool:
        assert process.returncode is None, "the gateway did not start"
        try:
            async with httpx.AsyncClient() as http:
                return (await http.get(f"http://127.0.0.1:{port}/health/live")).status_code == 200
        except httpx.TransportError:
            return False

    await until(answers, timeout=60, what="answer of the gateway")
    yield process
    process.terminate()
    await asyncio.wait_for(process.wait(), 15)


@pytest.fixture(scope="session")
async def through(gateway_process: asyncio.subprocess.Process) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of the real gateway process."""
    url = f"http://127.0.0.1:{gateway_process.port}"  # type: ignore[attr-defined]
    async with httpx.AsyncClient(base_url=url, timeout=10) as made:
        yield made


@asynccontextmanager
async def connection(
    port: int, source: str = "127.0.0.1"
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    try:
        yield reader, writer
    finally:
        writer.close()


@pytest.fixture
def dial(gateway_process: asyncio.subprocess.Process) -> Callable[..., object]:
    """`async with dial() as (reader, writer)`: a bare connection to the real gateway process."""

    def make(source: str = "127.0.0.1") -> object:
        return connection(gateway_process.port, source)  # type: ignore[attr-defined]

    return make


@pytest.fixture(scope="session")
def gateway(client: httpx.AsyncClient) -> Gateway:
    """The parts of the gateway behind `client`."""
    front = client._transport.app  # type: ignore[attr-defined]
    made = front._parts.state["gateway"]
    assert isinstance(made, Gateway)
    return made


@pytest.fixture
def forget(gateway: Gateway) -> Callable[[], None]:
    """What five seconds do: the authenticator's cache is over."""

    def do() -> None:
        for key, kept in gateway.authenticator._kept.items():
            gateway.authenticator._kept[key] = dataclasses.replace(kept, until=0.0)

    return do
