"""A migrated database, the service over it, and a world of accounts and courses to fill it with."""

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import orjson
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from common.identity import Caller
from common.resources import Resources, open_resources
from common.testing.identity import TestKeys, a_caller
from common.testing.waiting import impatient
from enrollment.account_copies.operations import store_accounts
from enrollment.account_copies.schemas import UserHeard
from enrollment.app import create_app
from enrollment.course_copies.operations import store_courses
from enrollment.course_copies.schemas import CourseHeard, ModeHeard
from enrollment.course_teams.operations import store_teams
from enrollment.course_teams.schemas import MemberHeard, TeamChanged
from enrollment.program_enrollments.linking import realise_links
from enrollment.program_enrollments.operations import Author
from enrollment.programs.operations import store_links, store_programs
from enrollment.programs.schemas import LinkHeard, ProgramHeard
from enrollment.settings import Settings

NOW = datetime.now(UTC)
PAST, FUTURE = NOW - timedelta(days=30), NOW + timedelta(days=30)
OPEN = "course-v1:Org+Open+1"


@pytest.fixture(scope="session")
async def resources(
    make_database: Callable[[str], str],
    keys: TestKeys,
    amqp_url: str,
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Resources]:
    settings = Settings(
        database_url=make_database("enrollment"),
        amqp_url=amqp_url,
        blobs_url=f"file://{tmp_path_factory.mktemp('blobs')}",
        http_port=0,
        internal_public_key=keys.public,
        topology_file=repository / "contracts" / "topology.yaml",
        relay_poll_seconds=0.2,
        deferred_seconds=0.6,
        sweep_seconds=0.1,
    )
    async with open_resources("enrollment", settings) as opened:
        yield opened


@pytest.fixture(scope="session")
async def session_db(resources: Resources) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(resources.settings.database_url.get_secret_value())
    yield connection
    await connection.close()


@pytest.fixture
async def db(session_db: asyncpg.Connection) -> asyncpg.Connection:
    """A connection to the emptied database. Deleted, not truncated: that would make and flush two dozen new files."""
    tables = await session_db.fetch(
        "select tablename from pg_tables where schemaname = 'public' and tablename <> 'alembic_version'"
    )
    deletes = [f"delete from {row['tablename']};" for row in tables]
    await session_db.execute(
        f"set session_replication_role = replica; {' '.join(deletes)} reset session_replication_role"
    )
    return session_db


@dataclass
class Client:
    """Requests as the gateway forwards them, in the name of a caller."""

    http: httpx.AsyncClient
    keys: TestKeys

    async def send(
        self, method: str, path: str, caller: Caller | None = None, *, json: object = None, **more: object
    ) -> httpx.Response:
        headers = self.keys.headers(caller or Caller(), audience="enrollment") | dict(more.pop("headers", {}))  # type: ignore[call-overload]
        if json is not None:
            more["content"] = orjson.dumps(json)
            headers.setdefault("content-type", "application/json")
        url = path if path.startswith("/") else f"/api/enrollment/v1/{path}"
        return await self.http.request(method, url, headers=headers, **more)  # type: ignore[arg-type]

    async def enroll(self, caller: Caller, course: str = OPEN, **fields: object) -> httpx.Response:
        return await self.send("POST", "enrollment", caller, json={"course_details": {"course_id": course}, **fields})


def _app_with(resources: Resources) -> ASGIApp:
    app = create_app(resources)

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"resources": resources}}, receive, send)

    return call


@pytest.fixture
async def client(resources: Resources, keys: TestKeys, db: asyncpg.Connection) -> AsyncIterator[Client]:
    transport = httpx.ASGITransport(_app_with(impatient(resources)))
    async with httpx.AsyncClient(transport=transport, base_url="http://lectern.test") as http:
        yield Client(http, keys)


@pytest.fixture
async def patient_client(resources: Resources, keys: TestKeys, db: asyncpg.Connection) -> AsyncIterator[Client]:
    """A client of the service as it really runs: it waits for facts before it refuses."""
    transport = httpx.ASGITransport(_app_with(resources))
    async with httpx.AsyncClient(transport=transport, base_url="http://lectern.test") as http:
        yield Client(http, keys)


def modes(*slugs: str, expired: Sequence[str] = ()) -> tuple[ModeHeard, ...]:
    return tuple(
        ModeHeard(slug=slug, name=slug.title(), expiration_datetime=PAST if slug in expired else None)
        for slug in (*slugs, *expired)
    )


class World:
    """Makes facts known as the consumers do."""

    def __init__(self, db: asyncpg.Connection) -> None:
        self.db = db
        self._versions = itertools.count(1)

    async def account(self, *names: str, **fields: object) -> None:
        users = []
        for name in names:
            values = {"user_id": user_id(name), "username": name, "email": f"{name}@example.com", **fields}
            users.append(UserHeard.model_validate({**values, "version": next(self._versions)}))
        async with self.db.transaction():
            await store_accounts(self.db, users, now=datetime.now(UTC))

    async def course(self, course_id: str = OPEN, **fields: object) -> str:
        values = {"display_name": "A Course", "modes": modes("audit", "honor", "verified"), "org": "Org", **fields}
        heard = CourseHeard.model_validate({"course_id": course_id, "version": next(self._versions), **values})
        async with self.db.transaction():
            await store_courses(self.db, [heard], recount_at=datetime.now(UTC))
        return course_id

    async def team(self, course_id: str, name: str, *, role: str = "staff", removed: bool = False) -> None:
        member = MemberHeard.model_validate(
            {"user_id": user_id(name), "username": name, "role": role, "version": next(self._versions)}
            | {"removed": removed}
        )
        async with self.db.transaction():
            await store_teams(
                self.db, [TeamChanged(course_id=course_id, members=(member,))], recount_at=datetime.now(UTC)
            )

    async def program(
        self, number: int = 1, *course_ids: str, organization: str | None = "Org", **fields: object
    ) -> str:
        """A program with these runs in its own list; returns its uuid."""
        uuid = program_uuid(number)
        values = {
            "uuid": uuid,
            "type": "Masters",
            "marketing_slug": f"masters/{number}",
            "title": f"Program {number}",
            "authoring_organizations": [{"key": organization}] if organization else [],
            "courses": [{"course_runs": [{"key": key} for key in course_ids]}],
            "curricula": [{"uuid": CURRICULUM, "is_active": True}],
            **fields,
        }
        heard = ProgramHeard.model_validate({**values, "version": next(self._versions)})
        async with self.db.transaction():
            await store_programs(self.db, [heard])
        return uuid

    async def link(self, number: int, name: str, key: str, *, organization: str = "Org", removed: bool = False) -> None:
        """An external id is linked to an account, or no more."""
        link = LinkHeard(
            id=number,
            user_id=user_id(name),
            organization=organization,
            external_key=key,
            version=next(self._versions),
            removed=removed,
        )
        async with self.db.transaction():
            keys = await store_links(self.db, [link])
            await realise_links(self.db, keys, author=Author(None, "link"), now=datetime.now(UTC))

    async def cohort(self, course_id: str, name: str) -> None:
        await self.db.execute(
            "insert into cohort (course_n, name) select n, $2 from course where key = $1", course_id, name
        )

    async def allow(self, course_id: str, email: str, *, bound_to: str | None = None) -> None:
        await self.db.execute(
            "insert into enrollment_allowed (email, course_key, user_id) values ($1, $2, $3)",
            email,
            course_id,
            user_id(bound_to) if bound_to else None,
        )

    async def enrolled(self, name: str, course_id: str = OPEN, mode: str = "audit", *, is_active: bool = True) -> None:
        """A row that is there already, with its seat."""
        await self.db.execute(
            "insert into enrollment (user_id, course_n, mode, is_active)"
            " select $1, n, $3, $4 from course where key = $2",
            user_id(name),
            course_id,
            mode,
            is_active,
        )
        await self.db.execute(
            "update seat set taken = taken + 1 from course c where c.n = course_n and c.key = $1 and $2",
            course_id,
            is_active,
        )

    async def state(self, name: str, course_id: str = OPEN) -> tuple[str, bool] | None:
        row = await self.db.fetchrow(
            "select e.mode, e.is_active from enrollment e join course c on c.n = e.course_n"
            " where c.key = $1 and e.user_id = $2",
            course_id,
            user_id(name),
        )
        return (row["mode"], row["is_active"]) if row else None

    async def cohort_of(self, name: str, course_id: str = OPEN) -> str | None:
        found: str | None = await self.db.fetchval(
            "select k.name from cohort_membership m join cohort k on k.id = m.cohort_id"
            " join course c on c.n = m.course_n where c.key = $1 and m.user_id = $2",
            course_id,
            user_id(name),
        )
        return found

    async def attributes_of(self, name: str) -> dict[str, str]:
        rows = await self.db.fetch(
            "select namespace || ':' || name as name, value from enrollment_attribute where user_id = $1", user_id(name)
        )
        return {row["name"]: row["value"] for row in rows}

    async def taken(self, course_id: str) -> int | None:
        found: int | None = await self.db.fetchval(
            "select s.taken from seat s join course c on c.n = s.course_n where c.key = $1", course_id
        )
        return found

    async def announced(self, type_: str = "enrollment.enrollments.changed.v1") -> list[dict[str, object]]:
        rows = await self.db.fetch(
            "select coalesce(payload::text, convert_from(body, 'utf8')) as body from outbox"
            " where type = $1 order by position",
            type_,
        )
        return [orjson.loads(row["body"]) for row in rows]

    async def history(self) -> list[asyncpg.Record]:
        return list(await self.db.fetch("select * from enrollment_history order by id"))


CURRICULUM = "00000000-1111-2222-3333-444444444444"


def program_uuid(number: int) -> str:
    return f"5b2c7a52-0d0f-4f43-8a3e-{number:012d}"


def user_id(name: str) -> int:
    if name.startswith("learner"):
        return 10_000_000 + int(name.removeprefix("learner"))
    found = a_caller(name).user_id
    assert found is not None
    return found


@pytest.fixture
def world(db: asyncpg.Connection) -> World:
    return World(db)
