"""A database with messaging's tables, the sample service's queues, and ways to send, run and look."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import aio_pika
import asyncpg
import pytest
import structlog
import yaml
from aio_pika.abc import AbstractChannel

from common.messaging import MESSAGING_TABLES_V1, Subscription, record, run_consumers, run_relay
from common.messaging.envelope import Command, Event
from common.messaging.relay import RelayLimits
from common.messaging.topology import Topology, declare, load_topology
from common.resources import Resources, open_resources
from common.settings import ServiceSettings
from common.testing.waiting import until

sys.path.insert(0, str(Path(__file__).parent))
import sample
from proxy import Proxy

_TOPOLOGY = {
    "messages": {
        "sample.items.changed.v1": {"kind": "event", "owner": "sample"},
        "sample.note.added.v1": {"kind": "event", "owner": "sample"},
        "sample.do_it.v1": {"kind": "command", "owner": "sample"},
    },
    "retry": {"100ms": 100, "200ms": 200},
    "services": {
        "sample": {
            "sample.events": {
                "kind": "events",
                "hears": ["sample.items.changed.v1", "sample.note.added.v1"],
                "arguments": {"x-delivery-limit": 3},
            },
            "sample.events.bulk": {"kind": "events", "hears": ["sample.items.changed.v1.bulk"]},
            "sample.commands": {"kind": "commands", "handles": ["sample.do_it.v1"]},
        }
    },
}


@pytest.fixture(autouse=True, scope="session")
def _plain_logs() -> Iterator[None]:
    """Tracebacks with all locals, structlog's default, cost a second each."""
    before = structlog.get_config()["processors"]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ]
    )
    yield
    structlog.configure(processors=before)


@pytest.fixture(scope="session")
def topology_file(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real file's exchanges and kinds around the sample service."""
    real = yaml.safe_load((repository / "contracts" / "topology.yaml").read_text())
    path = tmp_path_factory.mktemp("topology") / "topology.yaml"
    path.write_text(yaml.safe_dump(real | _TOPOLOGY))
    return path


@pytest.fixture(scope="session")
def topology(topology_file: Path) -> Topology:
    return load_topology(topology_file)


@pytest.fixture(scope="session")
async def channel(amqp_url: str) -> AsyncIterator[AbstractChannel]:
    """A foreign client's channel, as plain aio-pika gives it."""
    connection = await aio_pika.connect(amqp_url)
    async with connection:
        yield await connection.channel()


@pytest.fixture(scope="session")
async def _declared(amqp_url: str, topology: Topology) -> AsyncIterator[None]:
    """The sample service's queues, new and gone again."""

    async def sweep(connection: aio_pika.abc.AbstractConnection) -> None:
        async with connection.channel() as one:
            for queue in topology.queues:
                if queue.name.startswith("sample."):
                    await one.queue_delete(queue.name)

    connection = await aio_pika.connect(amqp_url)
    async with connection:
        await sweep(connection)
        await declare(connection, topology)
        yield
        await sweep(connection)


@pytest.fixture(scope="session")
async def database_url(make_database: Callable[..., str]) -> str:
    url = make_database()
    connection = await asyncpg.connect(url)
    for statement in (*MESSAGING_TABLES_V1, *sample.TABLES):
        await connection.execute(statement)
    await connection.close()
    return url


class Bus:
    """One test's view of the sample service."""

    def __init__(
        self, resources: Resources, database: asyncpg.Connection, channel: AbstractChannel, proxy: Proxy
    ) -> None:
        self.resources, self.database, self.channel, self.proxy = resources, database, channel, proxy
        self._running: list[asyncio.Task[None]] = []

    @property
    def settings(self) -> ServiceSettings:
        return self.resources.settings

    async def send(self, *messages: Event | Command, aggregate: str = "a", **options: object) -> None:
        """Record *messages* in one transaction."""
        async with self.resources.sessions.begin() as session:
            for number, message in enumerate(messages):
                record(session, message, **{"aggregate": aggregate, "version": number, **options})  # type: ignore[arg-type]

    async def publish(self, body: bytes, *, key: str, exchange: str = "lectern.events", **properties: object) -> None:
        """Publish as a stranger."""
        target = await self.channel.get_exchange(exchange, ensure=False)
        await target.publish(aio_pika.Message(body, **properties), key)  # type: ignore[arg-type]

    def relay(self, **limits: float) -> asyncio.Task[None]:
        quick = {"first_wait": 0.02, "longest_wait": 0.05, "attempts": 3, **limits}
        return self._start(run_relay(self.resources, RelayLimits(**quick)))  # type: ignore[arg-type]

    def consume(self, *subscriptions: Subscription, watch_seconds: float = 15) -> asyncio.Task[None]:
        chosen: Sequence[Subscription] = subscriptions or [sample.items_subscription()]
        return self._start(run_consumers(self.resources, chosen, watch_seconds=watch_seconds))

    def _start(self, role: Awaitable[None]) -> asyncio.Task[None]:
        async def run() -> None:
            await role

        task = asyncio.create_task(run())
        self._running.append(task)
        return task

    async def stop(self, *tasks: asyncio.Task[None]) -> None:
        for task in tasks or self._running:
            task.cancel()
        await asyncio.gather(*(tasks or self._running), return_exceptions=True)

    async def value(self, query: str, *arguments: object) -> object:
        return await self.database.fetchval(query, *arguments)

    async def reaches(self, query: str, expected: object, *arguments: object, timeout: float = 10) -> None:
        """Wait until *query* answers *expected*."""

        async def check() -> bool:
            return bool(await self.value(query, *arguments) == expected)

        try:
            await until(check, timeout=timeout, what=query)
        except AssertionError as error:
            raise AssertionError(f"{query} is {await self.value(query, *arguments)}, not {expected}") from error

    async def waiting(self, queue: str) -> int:
        """Messages ready in *queue*."""
        async with self.channel._connection.channel() as asking:  # type: ignore[attr-defined]
            return (await asking.declare_queue(queue, passive=True)).declaration_result.message_count or 0

    async def take(self, queue: str, *, timeout: float = 5) -> aio_pika.abc.AbstractIncomingMessage:
        """The next message of *queue*, acknowledged."""
        found = await self.channel.get_queue(queue)

        async def get() -> aio_pika.abc.AbstractIncomingMessage | None:
            return await found.get(fail=False)

        message = await until(get, timeout=timeout, what=f"message in {queue}")
        await message.ack()
        return message


@pytest.fixture
async def bus(
    database_url: str, amqp_url: str, topology_file: Path, topology: Topology, channel: AbstractChannel, _declared: None
) -> AsyncIterator[Bus]:
    sample.find_cure(False)
    database = await asyncpg.connect(database_url)
    for table in ("outbox", "inbox", "parked_message", "item", "applied"):  # a truncate costs ten times as much
        await database.execute(f"delete from {table}")
    own = [queue.name for queue in topology.queues if queue.name.startswith("sample.")]
    queues = [await channel.get_queue(name, ensure=False) for name in own]
    await asyncio.gather(*(queue.purge() for queue in queues))
    async with Proxy(amqp_url) as proxy:
        settings = sample.sample_settings(database_url, proxy.url, topology_file)
        async with open_resources(sample.SERVICE, settings) as resources:
            one = Bus(resources, database, channel, proxy)
            yield one
            await one.stop()
    await database.close()


@pytest.fixture(scope="module")
async def bus_once(
    database_url: str, amqp_url: str, topology_file: Path, channel: AbstractChannel
) -> AsyncIterator[Bus]:
    """Only the database half, kept through the examples of a property."""
    database = await asyncpg.connect(database_url)
    settings = sample.sample_settings(database_url, amqp_url, topology_file)
    async with Proxy(amqp_url) as proxy, open_resources(sample.SERVICE, settings) as resources:
        yield Bus(resources, database, channel, proxy)
    await database.close()


@pytest.fixture
def start_process(
    database_url: str, amqp_url: str, topology_file: Path
) -> Iterator[Callable[..., Awaitable[asyncio.subprocess.Process]]]:
    """`await start_process("relay", crash_at=…)`: the sample service as a real process."""
    started: list[asyncio.subprocess.Process] = []

    async def start(role: str, *, crash_at: str = "") -> asyncio.subprocess.Process:
        script = str(Path(__file__).parent / "sample.py")
        process = await asyncio.create_subprocess_exec(
            sys.executable, script, role, database_url, amqp_url, str(topology_file), crash_at,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        assert (await process.stdout.readline()).startswith(b"started")
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


@pytest.fixture
def sick() -> Callable[[bool], None]:
    """`sick(False)` takes away the cause that makes poison poisonous."""
    return lambda still: sample.find_cure(not still)
