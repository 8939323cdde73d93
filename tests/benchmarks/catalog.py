"""The catalogue: list, last page against first, search and detail, at the service and through the gateway.

Courses are stored by the service's own code; their announcements are dropped in the same transaction, so that the other
services idle. One course changes per second all the while. `LECTERN_BENCH_COURSES` sets the sizes (10000,100000).
"""

import asyncio
import contextlib
import os
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

import asyncpg
import httpx
from api import Client
from bare import bare_app
from joserfc.jwk import OKPKey
from load import run
from measure import ROUNDS, Row, cpu_seconds
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker

from common.database import make_engine
from common.identity import HEADER, Caller, sign
from common.testing.system import System
from course_catalog.courses import statements, words
from course_catalog.courses.facts import CourseFacts
from course_catalog.courses.operations import store_courses
from course_catalog.courses.statements import Shape
from course_catalog.discovery.statements import ranked
from course_catalog.modes.models import Mode
from course_catalog.teams.operations import TeamFacts, store_teams

SIZES = tuple(int(size) for size in os.environ.get("LECTERN_BENCH_COURSES", "10000,100000").split(","))
REQUESTS = int(os.environ.get("LECTERN_BENCH_REQUESTS", "2000"))
CONNECTIONS, PAGE = 8, 20
LIST, OWN = "/api/courses/v1/courses/", "/api/catalog/v1/courses/"
HOLDER = Caller(username="holder", user_id=7_000_001)
DEFAULT = Mode(slug="audit", name="Audit")
SUBJECTS = ("algebra", "biology", "chemistry", "drama", "economics", "physics", "law")
FILLER = "A course about many things that are good to know, told by people who know them well. " * 4


def facts(number: int, *, version: int = 1, hidden: bool | None = None) -> CourseFacts:
    """Three quarters are public; seven subjects, fifty organizations."""
    org, subject = f"Org{number % 50:02}", SUBJECTS[number % len(SUBJECTS)]
    return CourseFacts.model_validate(
        {
            "course_id": f"course-v1:{org}+C{number:06}+2026",
            "version": version,
            "guid": "0" * 24,
            "course": {
                "display_name": f"An introduction to {subject}, part {number}",
                "start": "2020-01-01T00:00:00Z",
                "visible_to_staff_only": number % 4 == 3 if hidden is None else hidden,
                "self_paced": number % 2 == 0,
                "language": ("en", "ar", "es")[number % 3],
            },
            "about": {"short_description": f"{subject} for beginners", "overview": f"<p>{FILLER}</p>", "effort": "3 h"},
        }
    )


class Catalogue:
    """The service's database, filled and changed by its own code."""

    def __init__(self, url: str) -> None:
        self._engine = make_engine(SecretStr(url), size=2, application="bench")
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        self._versions: dict[int, int] = {}
        self.size = 0

    async def close(self) -> None:
        await self._engine.dispose()

    async def _quietly(self, work: Callable[[object], Awaitable[None]]) -> None:
        async with self._sessions.begin() as session:
            await session.execute(text("set local synchronous_commit = off"))
            await work(session)
            await session.execute(text("delete from outbox where type = 'course_catalog.course.changed.v1'"))

    async def grow(self, size: int) -> None:
        for start in range(self.size, size, 500):
            batch = [facts(number) for number in range(start, min(start + 500, size))]
            await self._quietly(lambda session, batch=batch: store_courses(session, batch, default=DEFAULT))
        self.size = size
        members = [{"user_id": HOLDER.user_id, "role": "staff", "version": 1, "removed": False}]
        step = max(1, size // 200)
        held = [facts(3 + 4 * step * place).course_id for place in range(50)]  # hidden ones
        teams = [TeamFacts.model_validate({"course_id": key, "members": members}) for key in held]
        await self._quietly(lambda session: store_teams(session, teams))
        async with self._engine.connect() as connection:
            await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("vacuum analyze"))

    async def flip(self) -> None:
        """Hide or show one course."""
        number = 4 * (self.size // 8)
        version = self._versions[number] = self._versions.get(number, 1) + 1
        fact = facts(number, version=version, hidden=version % 2 == 0)
        await self._quietly(lambda session: store_courses(session, [fact], default=DEFAULT))


@asynccontextmanager
async def changing(catalogue: Catalogue) -> AsyncIterator[None]:
    async def work() -> None:
        while True:
            await asyncio.sleep(1)
            await catalogue.flip()

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@dataclass
class Bench:
    """The service process, its database's backends, and how to ask it."""

    system: System
    database: asyncpg.Connection

    @property
    def port(self) -> int:
        return int(self.system.service_url("course-catalog").rsplit(":", 1)[1].strip("/"))

    def request(self, path: str, caller: Caller | None = None) -> bytes:
        key = OKPKey.import_key(_jwk(self.system.internal_private_key))
        token = sign(caller or Caller(), audience="course-catalog", key=key)
        return f"GET {path} HTTP/1.1\r\nHost: bench\r\n{HEADER}: {token}\r\nAccept: application/json\r\n\r\n".encode()

    async def cpu(self) -> float:
        """CPU seconds so far of the service and of its backends."""
        pids = await self.database.fetch(
            "select pid from pg_stat_activity where application_name like 'lectern course-catalog%'"
        )
        return cpu_seconds(self.system.child("course-catalog").pid) + sum(cpu_seconds(row["pid"]) for row in pids)

    async def rate(self, request: bytes, port: int | None = None) -> float:
        result = await run("127.0.0.1", port or self.port, [request], connections=CONNECTIONS, total=REQUESTS)
        assert set(result.statuses) == {200}, result.statuses
        return result.requests / result.seconds

    async def cost(self, request: bytes) -> float:
        """CPU microseconds per request."""
        before = await self.cpu()
        await self.rate(request)
        return (await self.cpu() - before) / REQUESTS * 1e6


def _jwk(text_: str) -> dict[str, str]:
    import json

    return {str(name): str(value) for name, value in json.loads(text_).items()}


async def catalog_rows(system: System, admin: Client) -> list[Row]:
    catalogue = Catalogue(system.databases["course-catalog"])
    database = await asyncpg.connect(system.databases["course-catalog"])
    bench = Bench(system, database)
    rows: list[Row] = []
    try:
        for size in SIZES:
            await catalogue.grow(size)
            if size == SIZES[0]:
                rows += await _against_floors(bench, catalogue, admin, size)
            async with changing(catalogue):
                for name, query, caller in (
                    ("", {}, None),
                    (", roles on 50", {"username": HOLDER.username or ""}, HOLDER),
                    (", org=", {"org": "org07"}, None),
                    (", search", {"search_term": "chem"}, None),
                ):
                    rows.append(await _last_against_first(bench, size, name, query, caller))
    finally:
        await catalogue.close()
        await database.close()
    return rows


async def _last_against_first(bench: Bench, size: int, name: str, query: dict[str, str], caller: Caller | None) -> Row:
    def path(page: int) -> str:
        return f"{LIST}?{urlencode({**query, 'page_size': str(PAGE), 'page': str(page)})}"

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{bench.port}") as http:
        key = OKPKey.import_key(_jwk(bench.system.internal_private_key))
        headers = {HEADER: sign(caller or Caller(), audience="course-catalog", key=key)}
        pages = (await http.get(path(1), headers=headers)).json()["pagination"]["num_pages"] - 1
    first, last, ratios = [], [], []
    for _ in range(ROUNDS):
        first.append(await bench.cost(bench.request(path(1), caller)))
        last.append(await bench.cost(bench.request(path(pages), caller)))
        ratios.append(last[-1] / first[-1])
    label = f"course list of {size:,}{name}: page {pages:,} / page 1, CPU"
    return Row(label, statistics.median(last), "µs CPU", statistics.median(first), statistics.median(ratios), 1.3, "<=")


async def _against_floors(bench: Bench, catalogue: Catalogue, admin: Client, size: int) -> list[Row]:
    """List, search and detail beside a bare application that runs the same statement with everything known before."""
    url = bench.system.databases["course-catalog"]
    base = "http://bench"
    path = f"{LIST}?page_size={PAGE}&page=100" if size >= 4000 else f"{LIST}?page_size={PAGE}"
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{bench.port}") as http:
        key = OKPKey.import_key(_jwk(bench.system.internal_private_key))
        headers = {HEADER: sign(Caller(), audience="course-catalog", key=key), "x-forwarded-host": "bench"}
        body = (await http.get(path, headers=headers)).text
        found = (await http.get(path, headers=headers)).json()
        wanted = [course["id"] for course in found["results"]]
        detail = f"{LIST}{wanted[0]}"
    positions = [
        row["pos"]
        for row in await bench.database.fetch("select pos from course where course_key = any($1) order by pos", wanted)
    ]
    rev = await bench.database.fetchval("select rev from catalogue_state")
    tail = body[body.rindex('],"pagination"') :]
    shape = Shape(by_text=True)
    cases = [
        (
            f"course list, page of {PAGE} of {size:,}, at the service",
            path,
            {
                "statement": statements.PAGE,
                "arguments": [positions, rev, None, base],
                "column": "items",
                "head": '{"results":[',
                "tail": tail,
            },
        ),
        (
            f"course detail of {size:,}, at the service",
            detail,
            {"statement": statements.DETAIL, "arguments": [wanted[0], base], "column": 0, "head": "", "tail": ""},
        ),
        (
            f"search by relevance, page of {PAGE} of {size:,}, at the service",
            f"{OWN}?search_term=part+77&page_size={PAGE}&facets=0",
            {
                "statement": ranked(shape, None, after=False),
                "arguments": [words.query("part 77"), base, PAGE, 0],
                "column": "items",
                "head": '{"results":[',
                "tail": "]}",
            },
        ),
    ]
    rows = []
    for name, ours, floor in cases:
        async with bare_app("statement", database=url, **floor) as bare:
            port = int(bare.rsplit(":", 1)[1].strip("/"))
            plain = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"
            await bench.rate(plain, port)
            await bench.rate(bench.request(ours))
            mine, theirs, ratios = [], [], []
            for _ in range(ROUNDS):
                theirs.append(await bench.rate(plain, port))
                mine.append(await bench.rate(bench.request(ours)))
                ratios.append(mine[-1] / theirs[-1])
        value, baseline = statistics.median(mine), statistics.median(theirs)
        rows.append(Row(name, value, "req/s", baseline, statistics.median(ratios), 0.5, ">="))
    rows.append(await _through_the_gateway(bench, admin, path, size))
    return rows


async def _through_the_gateway(bench: Bench, admin: Client, path: str, size: int) -> Row:
    port = int(bench.system.base_url.rsplit(":", 1)[1].strip("/"))
    asked = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: JWT {admin.token}\r\n\r\n".encode()
    await bench.rate(asked, port)
    through, direct = [], []
    for _ in range(ROUNDS):
        direct.append(await bench.rate(bench.request(path)))
        through.append(await bench.rate(asked, port))
    ratio = statistics.median(mine / theirs for mine, theirs in zip(through, direct, strict=True))
    return Row(
        f"course list, page of {PAGE} of {size:,}, through the gateway",
        statistics.median(through),
        "req/s",
        statistics.median(direct),
        ratio,
        0.3,
        ">=",
        "beside the same at the service; gateway, service and PostgreSQL share the cores",
    )
