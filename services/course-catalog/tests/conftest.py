"""A migrated database, the service's application on it, and callers."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from common.identity import Caller
from common.keys import CourseKey
from common.resources import Resources, open_resources
from common.testing.identity import TestKeys, a_caller
from common.testing.waiting import impatient
from course_catalog.accounts.operations import AccountFacts, store_accounts
from course_catalog.allowances.operations import Allowance, store_allowances
from course_catalog.app import create_app
from course_catalog.courses.facts import CourseDeleted, CourseFacts
from course_catalog.courses.operations import renumber, store_courses, take_turn
from course_catalog.listings.operations import set_rule
from course_catalog.listings.schemas import ListingRule
from course_catalog.modes.fields import Values
from course_catalog.modes.operations import create_mode, delete_mode
from course_catalog.modes.queries import find_spelling, list_rows
from course_catalog.settings import Settings, settings_of
from course_catalog.teams.operations import TeamFacts, store_teams

# In the order in which their rows may go. Deleting is faster than truncating, which makes new files for every index.
TABLES = (
    "course_document", "course_search", "course", "course_own", "course_allowed", "course_mode", "course_role",
    "account",
    "program_child", "program_run", "program_organization", "program", "rebuild", "course_shadow",
    "course_role_shadow", "account_shadow", "idempotency_key", "outbox", "inbox", "parked_message",
)  # fmt: skip
BASE = "https://lectern.example"


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
            "database_url": make_database("course_catalog"),
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
    async with open_resources("course-catalog", settings) as resources:
        yield resources


@pytest.fixture
async def resources(shared_resources: Resources) -> Resources:
    """The service's resources over empty tables; revisions go on, as they do in life."""
    await shared_resources.pool.execute(";".join(f"delete from {table}" for table in TABLES))
    return shared_resources


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

    async def get(
        self, url: str, caller: Caller | None = None, *, headers: dict[str, str] | None = None, method: str = "GET"
    ) -> httpx.Response:
        identity = self._keys.headers(caller or a_caller(None), audience="course-catalog")
        return await self._http.request(method, url, headers={**identity, **(headers or {})})

    async def send(
        self,
        method: str,
        url: str,
        body: object = None,
        caller: Caller | None = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """A request with a JSON body, or with the very bytes given."""
        identity = self._keys.headers(caller or a_caller(None), audience="course-catalog")
        content = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        sent = {"Content-Type": "application/json", **identity, **(headers or {})}
        return await self._http.request(method, url, content=content, headers=sent)

    async def body(self, url: str, caller: Caller | None = None) -> dict[str, Any]:
        answer = await self.get(url, caller)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def ids(
        self, url: str = "/api/courses/v1/courses/?page_size=100", caller: Caller | None = None
    ) -> Sequence[str]:
        answer = await self.get(url, caller)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        ids = [course["id"] for course in body["results"]]
        if body["pagination"]["num_pages"] == 1:
            assert body["pagination"]["count"] == len(ids)
        return ids


@pytest.fixture
async def client(resources: Resources, keys: TestKeys) -> AsyncIterator[Client]:
    """The API as it is, but for one thing: no fact is waited for."""
    app = _Serving(create_app(resources), impatient(resources))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http:
        yield Client(http, keys)


@pytest.fixture
async def patient_client(resources: Resources, keys: TestKeys) -> AsyncIterator[Client]:
    """A client of the API as it is in earnest: it waits for facts before it refuses."""
    app = _Serving(create_app(resources), resources)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http:
        yield Client(http, keys)


def a_course(
    name: str = "Demo", *, version: int = 1, about: dict[str, str] | None = None, **settings: object
) -> CourseFacts:
    """What content announces about `course-v1:Org+<name>+1`, or about *name* itself when it is a key."""
    key = CourseKey.parse(name if ":" in name or "/" in name else f"course-v1:Org+{name}+1")
    course = {"display_name": f"Course {key.course}", "start": "2020-01-01T00:00:00Z"} | settings
    return CourseFacts.model_validate(
        {
            "course_id": key.canonical,
            "spelling": name if "/" in name else key.canonical,
            "version": version,
            "guid": "0" * 24,
            "course": course,
            "about": about or {},
        }
    )


@pytest.fixture(name="a_course")
def _a_course() -> Callable[..., CourseFacts]:
    return a_course


class Bus:
    """What other services say, stored as the consumers store it."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._versions: dict[object, int] = {}

    async def hear(self, *facts: CourseFacts | CourseDeleted) -> None:
        default = settings_of(self._resources).course_mode
        async with self._resources.sessions.begin() as session:
            await store_courses(session, facts, default=default)

    async def renumber(self) -> None:
        """Give every course a new position, as a full gap does."""
        async with self._resources.sessions.begin() as session:
            await take_turn(session)
            await renumber(session)

    async def rule(self, key: str, rule: ListingRule) -> None:
        """The catalogue's own listing rule."""
        async with self._resources.sessions.begin() as session:
            await set_rule(session, CourseKey.parse(key).canonical, rule, by="greta", now=datetime.now(UTC))

    async def modes(self, key: str, modes: Sequence[tuple[str, datetime | None]]) -> None:
        """The modes of a course, those it had taken away; slug and expiry of each."""
        default = settings_of(self._resources).course_mode
        now = datetime.now(UTC)
        async with self._resources.sessions.begin() as session:
            for row in await list_rows(session, key):
                await delete_mode(session, key, row.slug, default=default, now=now)
            if not await find_spelling(session, key):
                return
            for slug, expires in modes:
                values: Values = {"course_id": key, "mode_slug": slug, "mode_display_name": slug, "currency": "usd"}
                await create_mode(session, values | {"expiration_datetime": expires}, default=default, now=now)

    async def allow(self, key: str, caller: Caller, *, removed: bool = False) -> None:
        """Enrollment's allowed list."""
        version = self._versions[key, caller] = self._versions.get((key, caller), 0) + 1
        entry = {"email": caller.email, "course_id": key, "version": version, "removed": removed}
        async with self._resources.sessions.begin() as session:
            await store_allowances(session, [Allowance.model_validate(entry)])

    async def role(self, course: CourseFacts, caller: Caller, role: str = "staff", *, removed: bool = False) -> None:
        version = self._versions[course.course_id] = self._versions.get(course.course_id, 0) + 1
        member = {"user_id": caller.user_id, "role": role, "version": version, "removed": removed}
        facts = TeamFacts.model_validate({"course_id": course.course_id, "members": [member]})
        async with self._resources.sessions.begin() as session:
            await store_teams(session, [facts])

    async def account(self, caller: Caller, *, version: int = 1) -> None:
        facts = {
            "user_id": caller.user_id,
            "username": caller.username,
            "email": caller.email or "",
            "is_staff": caller.is_staff,
            "version": version,
        }
        async with self._resources.sessions.begin() as session:
            await store_accounts(session, [AccountFacts.model_validate(facts)])

    async def announced(self) -> list[dict[str, object]]:
        """Every course announced so far, in order."""
        rows = await self._resources.pool.fetch(
            "select payload from outbox where type = 'course_catalog.course.changed.v1' order by position"
        )
        return [course for row in rows for course in row["payload"]["courses"]]


@pytest.fixture
def bus(resources: Resources) -> Bus:
    return Bus(resources)
