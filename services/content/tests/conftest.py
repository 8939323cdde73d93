"""A migrated database, the service's application on it, callers, and whole courses to read."""

import hashlib
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx
import orjson
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from common.blobs import asset_key
from common.identity import Caller
from common.keys import CourseKey
from common.messaging import Message
from common.resources import Resources, open_resources
from common.testing.identity import TestKeys, a_caller
from common.testing.waiting import impatient
from content.accounts.operations import keep_accounts
from content.app import create_app
from content.commands.errors import Rejected
from content.commands.schemas import ImportCourse, SnapshotCourse
from content.enrollments.operations import keep_enrollments
from content.events import CommandCompleted
from content.imports.exports import snapshot_course
from content.imports.operations import import_course
from content.settings import Settings
from olx.reader import read_course_archive
from olx.snapshot import to_snapshot

# In the order in which their rows may go. Deleting is faster than truncating, which makes new files for every index.
TABLES = (
    "block", "version", "branch", "course_team", "access_policy", "unlocked", "unlock_key", "checklist_item", "course",
    "definition", "account", "enrollment", "asset_claim", "answered_command", "thumbnail", "outbox", "inbox",
    "parked_message", "idempotency_key",
)  # fmt: skip
BASE = "https://lectern.example"
COURSE = CourseKey.parse("course-v1:Org+Demo+1")
ROBOT = a_caller("robot", staff=True)


@pytest.fixture(scope="session")
def settings(
    make_database: Callable[..., str],
    amqp_url: str,
    keys: TestKeys,
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    return Settings.model_validate(
        {
            "database_url": make_database("content"),
            "amqp_url": amqp_url,
            "blobs_url": tmp_path_factory.mktemp("blobs").as_uri(),
            "http_port": 0,
            "internal_public_key": keys.public,
            "topology_file": repository / "contracts" / "topology.yaml",
            "public_url": BASE,
        }
    )


@pytest.fixture(scope="session")
async def shared_resources(settings: Settings) -> AsyncIterator[Resources]:
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    # a test waits for no disk: what is lost with the server is lost with the test
    name = await connection.fetchval("select current_database()")
    await connection.execute(f'alter database "{name}" set synchronous_commit = off')
    await connection.close()
    async with open_resources("content", settings) as resources:
        yield resources


@pytest.fixture
async def resources(shared_resources: Resources) -> Resources:
    """The service's resources over empty tables."""
    await empty(shared_resources)
    return shared_resources


async def empty(resources: Resources) -> None:
    await resources.pool.execute(";".join(f"delete from {table}" for table in TABLES))


class _Serving:
    """Adds the state that a server's lifespan would add."""

    def __init__(self, app: ASGIApp, resources: Resources) -> None:
        self._app, self._resources = app, resources

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["resources"] = self._resources
        await self._app(scope, receive, send)


class Client:
    """Requests as somebody; anonymous unless told."""

    def __init__(self, http: httpx.AsyncClient, keys: TestKeys) -> None:
        self._http, self._keys = http, keys

    async def request(self, method: str, url: str, caller: Caller | None = None, **options) -> httpx.Response:
        identity = self._keys.headers(caller or a_caller(None), audience="content")
        headers = {**identity, **(options.pop("headers", None) or {})}
        return await self._http.request(method, url, headers=headers, **options)

    async def get(self, url: str, caller: Caller | None = None, **options) -> httpx.Response:
        return await self.request("GET", url, caller, **options)

    async def page(self, url: str, caller: Caller | None = None) -> httpx.Response:
        return await self.get(url, caller, headers={"Accept": "text/html"})

    async def post(self, url: str, caller: Caller | None = None, **options) -> httpx.Response:
        return await self.request("POST", url, caller, **options)


@pytest.fixture(scope="session")
async def app(shared_resources: Resources) -> ASGIApp:
    """The API as it is, but for one thing: no fact is waited for."""
    resources = impatient(shared_resources)
    return _Serving(create_app(resources), resources)


@pytest.fixture
async def client(resources: Resources, app: ASGIApp, keys: TestKeys) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http:
        yield Client(http, keys)


@pytest.fixture
async def patient_client(resources: Resources, keys: TestKeys) -> AsyncIterator[Client]:
    """A client of the API as it is in earnest: it waits for facts before it refuses."""
    app = _Serving(create_app(resources), resources)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http:
        yield Client(http, keys)


@dataclass
class Draft:
    """A course being written down as a snapshot."""

    course: CourseKey = COURSE
    blocks: dict[str, dict] = field(default_factory=dict)
    drafts: dict[str, dict] = field(default_factory=dict)
    assets: dict[str, dict] = field(default_factory=dict)
    bytes_of: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)

    def block(self, key: str, *children: str, data: str | None = None, draft: dict | None = None, **settings) -> str:
        block_type, _, name = key.partition("@")
        fields = {} if data is None else {"data": data}
        block = {"type": block_type, "id": name, "fields": fields, "settings": settings, "children": list(children)}
        if draft is None:
            self.blocks[key] = block
        else:
            self.drafts[key] = block | {"parent": None, "index": None} | draft
        return key

    def asset(self, name: str, data: bytes, **said) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self.bytes_of[digest] = data
        self.assets[name] = {"digest": digest, "size": len(data), "content_type": "application/octet-stream"} | said
        return digest

    def document(self) -> dict:
        key = self.course
        return {
            "format": 1,
            "course_id": key.canonical,
            "org": key.org,
            "number": key.course,
            "run": key.run,
            "root": "course@course",
            "blocks": self.blocks,
            "drafts": self.drafts,
            "assets": self.assets,
            "files": self.files,
        }


def a_draft(course: CourseKey = COURSE, **settings) -> Draft:
    """A small open course: two chapters, three units, html, problem, video, an unknown type, a page, an asset."""
    draft = Draft(course)
    draft.block(
        "course@course", "chapter@one", "chapter@two", display_name="A Demo", start="2020-01-01T00:00:00Z", **settings
    )
    draft.block("chapter@one", "sequential@a", display_name="One")
    draft.block("chapter@two", "sequential@b", display_name="Two")
    draft.block("sequential@a", "vertical@u1", "vertical@u2", display_name="A", graded=True, format="Homework")
    draft.block("sequential@b", "vertical@u3", display_name="B")
    draft.block("vertical@u1", "html@intro", "video@film", display_name="Unit 1")
    draft.block("vertical@u2", "problem@sum", display_name="Unit 2")
    draft.block("vertical@u3", "gizmo@thing", display_name="Unit 3")
    draft.block("html@intro", data='<p>Hello <a href="/jump_to_id/u2">on</a><img src="/static/pics/a b.png"></p>')
    draft.block("video@film", youtube_id_1_0="abcdefghijk", display_name="Film", transcripts={"en": "film-en.srt"})
    draft.block(
        "problem@sum",
        data="<problem><multiplechoiceresponse><label>1 + 1?</label><choicegroup>"
        '<choice correct="true">two<choicehint>yes indeed</choicehint></choice><choice correct="false">three</choice>'
        "</choicegroup><solution><p>It is two.</p></solution></multiplechoiceresponse></problem>",
        display_name="Sum",
        markdown="(x) two",
        weight=2,
    )
    draft.block("gizmo@thing", data='<gizmo secret="42"/>', display_name="Gizmo", knob=7)
    draft.block("about@overview", data="<h2>About it</h2>")
    draft.block("about@effort", data="2 hours")
    draft.block("static_tab@syllabus", data="<p>Week by week</p>", display_name="Syllabus")
    draft.asset("pics_a_b.png", b"\x89PNG not really", content_type="image/png", displayname="a b.png")
    draft.files["policies/grading_policy.json"] = '{"GRADER": []}'
    return draft


@pytest.fixture(name="a_draft", scope="session")
def _a_draft() -> Callable[..., Draft]:
    return a_draft


class Bus:
    """What other services say and ask, handled as the consumers handle it, in a transaction of its own each."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self._version = 0

    def message(self, message_type: str, body: Mapping[str, object]) -> Message:
        return Message(uuid.uuid4(), message_type, orjson.dumps(body), {})

    async def import_course(self, draft: Draft, *, by: Caller = ROBOT, **said) -> CommandCompleted:
        """Import *draft*, staged as import-export stages it. A rejection comes back as an answer."""
        for digest, data in draft.bytes_of.items():
            await self.resources.blobs.put_bytes(asset_key(digest), data)
        key = f"snapshots/{uuid.uuid4().hex}"
        await self.resources.blobs.put_bytes(key, orjson.dumps(draft.document()))
        command = ImportCourse.model_validate(
            {
                "command_id": str(uuid.uuid4()),
                "requested_by": requester(by),
                "course_id": draft.course.canonical,
                "snapshot": key,
                "may_create": True,
            }
            | said
        )
        try:
            async with self.resources.sessions.begin() as session:
                return await import_course(session, self.resources.blobs, command)
        except Rejected as refusal:
            return rejected(str(command.command_id), refusal)

    async def snapshot(self, course: CourseKey = COURSE, *, by: Caller = ROBOT, **said) -> CommandCompleted:
        command = SnapshotCourse.model_validate(
            {"command_id": str(uuid.uuid4()), "requested_by": requester(by), "course_id": course.canonical} | said
        )
        try:
            async with self.resources.sessions.begin() as session:
                return await snapshot_course(session, self.resources.blobs, command)
        except Rejected as refusal:
            return rejected(str(command.command_id), refusal)

    async def read_snapshot(self, answer: CommandCompleted) -> dict:
        assert answer.snapshot
        return orjson.loads(await self.resources.blobs.get_bytes(answer.snapshot))

    async def account(self, *callers: Caller, version: int = 1) -> None:
        users = [
            {
                "user_id": caller.user_id,
                "username": caller.username,
                "email": caller.email,
                "name": "",
                "is_active": caller.is_active,
                "is_staff": caller.is_staff,
                "country": None,
                "version": version,
            }
            for caller in callers
        ]
        async with self.resources.sessions.begin() as session:
            await keep_accounts(session, [self.message("accounts.user.changed.v1", {"users": users})])
        await self.resources.pool.execute("select pg_notify('facts', '')")

    async def enroll(
        self, *callers: Caller, course: CourseKey = COURSE, mode: str = "audit", is_active: bool = True
    ) -> None:
        self._version += 1
        changes = [
            {
                "user_id": caller.user_id,
                "username": caller.username,
                "course_id": course.canonical,
                "mode": mode,
                "is_active": is_active,
                "version": self._version,
                "changed_at": "2026-01-01T00:00:00Z",
            }
            for caller in callers
        ]
        async with self.resources.sessions.begin() as session:
            await keep_enrollments(session, [self.message("enrollment.enrollments.changed.v1", {"changes": changes})])
        await self.resources.pool.execute("select pg_notify('facts', '')")

    async def announced(self, message_type: str | None = None) -> list[dict]:
        """Bodies of what was recorded, in order; of one type or of all."""
        rows = await self.resources.pool.fetch("select type, payload from outbox order by id")
        return [row["payload"] for row in rows if message_type in (None, row["type"])]


def requester(caller: Caller) -> dict[str, object]:
    return {
        "user_id": caller.user_id,
        "username": caller.username,
        "is_staff": caller.is_staff,
        "creator_grants": list(caller.creator_grants),
        "org_roles": [list(role) for role in caller.org_roles],
    }


def rejected(command_id: str, refusal: Rejected) -> CommandCompleted:
    return CommandCompleted(
        command_id=command_id, command="", outcome="rejected", code=refusal.code, message=str(refusal)
    )


@pytest.fixture
def bus(resources: Resources) -> Bus:
    return Bus(resources)


@pytest.fixture(scope="module")
async def reading(shared_resources: Resources, app: ASGIApp, keys: TestKeys) -> AsyncIterator[tuple[Client, Bus]]:
    """For modules whose tests only read: a client, and a bus to fill the tables with once."""
    await empty(shared_resources)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http:
        yield Client(http, keys), Bus(shared_resources)


@pytest.fixture(scope="session")
def import_archive() -> Callable[..., object]:
    """Read an archive as import-export's parser does, stage it, and import it."""

    async def run(bus: Bus, archive: Path, course: CourseKey, spool: Path) -> None:
        read, _ = read_course_archive(archive, spool, links="skip", kind="course")
        draft = Draft(
            course, bytes_of={asset.digest: (spool / asset.digest).read_bytes() for asset in read.assets.values()}
        )
        draft.document = lambda: to_snapshot(read, course)
        answer = await bus.import_course(draft)
        assert answer.outcome == "done", answer

    return run


@pytest.fixture
async def demo(bus: Bus) -> Draft:
    """The small course, imported."""
    draft = a_draft()
    answer = await bus.import_course(draft)
    assert answer.outcome == "done", answer
    return draft
