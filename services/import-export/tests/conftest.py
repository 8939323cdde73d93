"""The service over a real database, blob store and broker, and a scripted content at the other end of the bus."""

import asyncio
import gzip
import io
import tarfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aio_pika
import asyncpg
import httpx
import orjson
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from starlette.types import ASGIApp, Receive, Scope, Send

from common.identity import Caller
from common.messaging import apply_topology, run_consumers, run_relay
from common.resources import Resources, open_resources
from common.testing.identity import TestKeys, a_caller
from common.testing.waiting import impatient, until
from import_export.app import create_app
from import_export.consumers import subscriptions
from import_export.settings import Settings
from import_export.workers import run_workers

COURSE = "course-v1:Org+Sample+2030"
BASE = "http://lectern.test"
STAFF = a_caller("staff", staff=True)
AUTHOR = a_caller("alice", user_id=7)
STRANGER = a_caller("mallory", user_id=8)
TABLES = """hook_push hook job archive inspection partial_upload leaving_blob course course_team account
catalogue_version outbox inbox idempotency_key"""
COMMANDS = ("content.import_course.v1", "content.snapshot_course.v1")


@pytest.fixture(scope="session")
def service_settings(
    make_database: Callable[[str], str],
    keys: TestKeys,
    amqp_url: str,
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    return Settings(
        database_url=make_database("import_export"),
        amqp_url=amqp_url,
        blobs_url=f"file://{tmp_path_factory.mktemp('blobs')}",
        http_port=0,
        internal_public_key=keys.public,
        topology_file=repository / "contracts" / "topology.yaml",
        spool_dir=tmp_path_factory.mktemp("spool"),
        relay_poll_seconds=0.2,
        shutdown_seconds=2,
        max_upload_bytes=2_000_000,
        export_wait_seconds=10,
        catalogue_seconds=5,
        archive_cache_bytes=10_000_000,
        job_lease_seconds=5,
        import_workers=1,
        hook_internal_urls=True,
    )


@pytest.fixture(scope="session")
async def resources(service_settings: Settings) -> AsyncIterator[Resources]:
    async with open_resources("import-export", service_settings) as opened:
        yield opened


@pytest.fixture
async def db(resources: Resources) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the emptied database."""
    connection = await asyncpg.connect(resources.settings.database_url.get_secret_value())
    await connection.execute("; ".join(f"delete from {table}" for table in TABLES.split()))
    yield connection
    await connection.close()


@dataclass
class Http:
    """Requests as the gateway forwards them, in the name of a caller."""

    client: httpx.AsyncClient
    keys: TestKeys

    async def __call__(self, method: str, path: str, caller: Caller | None = STAFF, **more: object) -> httpx.Response:
        identity = self.keys.headers(caller or Caller(), audience="import-export")
        headers = identity | {"x-forwarded-host": "lectern.test"} | dict(more.pop("headers", None) or {})  # type: ignore[call-overload]
        return await self.client.request(method, path, headers=headers, **more)  # type: ignore[arg-type]

    async def push(
        self, archive: bytes, course: str = COURSE, caller: Caller | None = STAFF, **query: str
    ) -> httpx.Response:
        headers = {"content-type": "application/x-tgz"}
        return await self("POST", f"/api/v0/import/{course}", caller, content=archive, params=query, headers=headers)

    async def task(self, task_id: str, caller: Caller = STAFF) -> dict[str, object]:
        answer = await self("GET", f"/api/v0/tasks/{task_id}", caller)
        assert answer.status_code == 200, answer.text
        parsed: dict[str, object] = answer.json()
        return parsed

    async def ended(self, task_id: str, *, timeout: float = 10) -> dict[str, object]:
        async def check() -> dict[str, object] | None:
            task = await self.task(task_id)
            return task if task["state"] in {"Succeeded", "Failed", "Canceled"} else None

        return await until(check, timeout=timeout, what=f"end of task {task_id}")


def with_state(resources: Resources) -> ASGIApp:
    app = create_app(resources)

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"resources": resources}}, receive, send)

    return call


@asynccontextmanager
async def open_http(resources: Resources, keys: TestKeys) -> AsyncIterator[Http]:
    transport = httpx.ASGITransport(with_state(resources))
    async with httpx.AsyncClient(transport=transport, base_url=BASE, timeout=30) as client:
        yield Http(client, keys)


@pytest.fixture
async def http(resources: Resources, keys: TestKeys, db: asyncpg.Connection) -> AsyncIterator[Http]:
    """The API alone: no worker takes a job up, no fact is waited for."""
    async with open_http(impatient(resources), keys) as opened:
        yield opened


@pytest.fixture
async def patient_http(resources: Resources, keys: TestKeys, db: asyncpg.Connection) -> AsyncIterator[Http]:
    """The API, waiting for facts as it does in earnest."""
    async with open_http(resources, keys) as opened:
        yield opened


Files = Mapping[str, str | bytes]
MakeArchive = Callable[..., bytes]
AddCourse = Callable[..., Awaitable[None]]
OLX: Files = {
    "course/course.xml": '<course url_name="2030" org="Org" course="Sample"/>',
    "course/course/2030.xml": '<course display_name="Sample"><chapter url_name="one"/></course>',
    "course/chapter/one.xml": '<chapter display_name="One"><sequential url_name="first"/></chapter>',
    "course/sequential/first.xml": '<sequential><vertical url_name="unit"/></sequential>',
    "course/vertical/unit.xml": '<vertical><html url_name="text"/></vertical>',
    "course/html/text.xml": '<html filename="text" display_name="Text"/>',
    "course/html/text.html": "<p>Hello, <img src='/static/a.png'/></p>",
    "course/static/a.png": b"\x89PNG not really",
    "course/policies/2030/policy.json": '{"course/2030": {"start": "2030-01-01T00:00:00Z"}}',
}


@pytest.fixture(scope="session")
def make_archive() -> MakeArchive:
    """A small course as a .tar.gz, with these files changed or (None) left out."""

    def make(changes: Mapping[str, str | bytes | None] | None = None) -> bytes:
        out = io.BytesIO()
        files = {**OLX, **(changes or {})}
        with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as tar:
            for name, text in files.items():
                if text is None:
                    continue
                data = text.encode() if isinstance(text, str) else text
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        return out.getvalue()

    return make


@pytest.fixture(scope="session")
def archive(make_archive: MakeArchive) -> bytes:
    return make_archive()


@pytest.fixture
def add_course(db: asyncpg.Connection) -> AddCourse:
    """A course this service has heard of, with its team."""

    async def add(
        course_id: str = COURSE, *, spelling: str | None = None, authors: Iterable[Caller] = (AUTHOR,)
    ) -> None:
        await db.execute(
            "insert into course (course_id, spelling, version) values ($1, $2, 1)", course_id, spelling or course_id
        )
        for author in authors:
            await db.execute(
                "insert into course_team (course_id, user_id, username, role, version) values ($1, $2, $3, 'staff', 1)",
                course_id,
                author.user_id,
                author.username,
            )

    return add


@dataclass
class Content:
    """Content and the catalogue, as far as the bus shows them: keeps commands, says what a test tells it to."""

    channel: AbstractChannel
    resources: Resources
    commands: list[dict[str, object]] = field(default_factory=list)

    async def heard(self, delivery: AbstractIncomingMessage) -> None:
        self.commands.append(orjson.loads(delivery.body) | {"type": delivery.routing_key})
        await delivery.ack()

    async def asked(self, count: int = 1) -> dict[str, object]:
        """The command of that number, once it has come."""

        async def check() -> dict[str, object] | None:
            return self.commands[count - 1] if len(self.commands) >= count else None

        return await until(check, what=f"command {count}")

    async def announce(self, message_type: str, body: Mapping[str, object]) -> None:
        exchange = await self.channel.get_exchange("lectern.events", ensure=False)
        message_id = str(uuid.uuid4())
        headers = {"cloudEvents_id": message_id, "cloudEvents_type": message_type}
        message = aio_pika.Message(orjson.dumps(body), message_id=message_id, type=message_type, headers=headers)
        await exchange.publish(message, message_type, timeout=5)

    async def reply(self, command: Mapping[str, object], outcome: str = "done", **more: object) -> None:
        answer = {
            "command_id": command["command_id"],
            "command": command["type"],
            "course_id": command["course_id"],
            "outcome": outcome,
            "code": None,
            "message": None,
            "version": None,
            "draft_guid": "d" * 24,
            "published_guid": "c" * 24,
            "counts": {},
            "snapshot": None,
        }
        await self.announce("content.command.completed.v1", answer | more)

    async def catalogue_shows(self, content_version: int, *, version: int = 1, course_id: str = COURSE) -> None:
        course = {"course_id": course_id, "version": version, "content_version": content_version, "deleted": False}
        await self.announce("course_catalog.course.changed.v1", {"courses": [course]})


@dataclass
class System:
    """The whole service at work."""

    http: Http
    content: Content
    db: asyncpg.Connection
    resources: Resources
    amqp: AbstractChannel


@pytest.fixture(scope="module")
async def running(resources: Resources, keys: TestKeys) -> AsyncIterator[tuple[Http, Content, AbstractChannel]]:
    """Consumers, relay and workers. For one module only, and with content's own queue out of the way meanwhile: the
    virtual host is shared with other services' tests.
    """
    await apply_topology(resources.settings)
    async with AsyncExitStack() as stack:
        connection = await aio_pika.connect(resources.settings.amqp_url.get_secret_value())
        await stack.enter_async_context(connection)
        channel = await connection.channel()
        commands = await channel.get_exchange("lectern.commands", ensure=False)
        ours = await channel.get_queue("import_export.events", ensure=False)
        await ours.purge()
        theirs = await channel.get_queue("content.imports", ensure=False)
        queue = await channel.declare_queue(exclusive=True, auto_delete=True)
        for key in COMMANDS:
            await queue.bind(commands, key)
            await theirs.unbind(commands, key)
        content = Content(channel, resources)
        await queue.consume(content.heard)
        tasks = [
            asyncio.create_task(run_consumers(resources, subscriptions(resources))),
            asyncio.create_task(run_relay(resources)),
            asyncio.create_task(run_workers(resources)),
        ]
        http = await stack.enter_async_context(open_http(resources, keys))
        yield http, content, channel
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for key in COMMANDS:
            await theirs.bind(commands, key)


@pytest.fixture
async def system(
    running: tuple[Http, Content, AbstractChannel], resources: Resources, db: asyncpg.Connection
) -> System:
    http, content, channel = running
    content.commands.clear()
    return System(http, content, db, resources, channel)
