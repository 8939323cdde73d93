"""Enrolling by HTTP beside a bare application of the same statement; the staff list; enrolling beside bulk commands."""

import asyncio
import json
import os
import statistics
import time
import uuid
from collections.abc import Callable
from urllib.parse import urlsplit

import aio_pika
import asyncpg
import httpx
from bare import bare_app
from joserfc.jwk import OKPKey
from load import run
from measure import ROUNDS, Row, percentile

from common.identity import HEADER, Caller, sign
from common.testing.system import System
from enrollment.enrollments.listing import Cursor

LEARNERS = int(os.environ.get("LECTERN_BENCH_LEARNERS", "5000"))
REQUESTS = {1: 400, 8: 2000, 32: 3000}
LISTED = int(os.environ.get("LECTERN_BENCH_ENROLLMENTS", "1000000"))
BULK = int(os.environ.get("LECTERN_BENCH_BULK", "100000"))
COMMAND = 500
PATH = "/api/enrollment/v1/enrollment"

_ACCOUNTS = """
insert into account (user_id, username, email, is_active, is_staff, version)
select $1 + n, $2 || n, $2 || n || '@bench.invalid', true, false, 1 from generate_series(1, $3) n on conflict do nothing
"""
_COURSE = """
insert into course (key, spelling, org, display_name, version) values ($1, $1, 'BenchX', 'Bench', 1)
on conflict (key) do update set version = course.version + 1 returning n
"""
_DETAILS = "update course c set details = course_details(c, false) where n = $1"
_FIRST_ID = 900_000_000


async def enroll_rows(system: System) -> list[Row]:
    database = await asyncpg.connect(system.databases["enrollment"])
    try:
        await _seed(database, "en_", _FIRST_ID, LEARNERS)
        rows = await _post_rows(system, database)
        rows += await _list_rows(system, database)
        rows.append(await _latency_row(system, database))
    finally:
        await database.close()
    return rows


async def _seed(database: asyncpg.Connection, stem: str, first: int, count: int) -> None:
    await database.execute(_ACCOUNTS, first, stem, count)
    await database.execute("analyze account, enrollment, enrollment_history, outbox")


async def _course(database: asyncpg.Connection) -> tuple[int, str]:
    key = f"course-v1:BenchX+E+{uuid.uuid4().hex[:10]}"
    number = await database.fetchval(_COURSE, key)
    await database.execute(_DETAILS, number)
    return number, key


def _token(system: System, caller: Caller) -> str:
    """What the gateway would forward, good for a minute."""
    key = OKPKey.import_key({name: str(value) for name, value in json.loads(system.internal_private_key).items()})
    return sign(caller, audience="enrollment", key=key)


def _internal(system: System) -> str:
    return _token(system, Caller(api_key=True))


def _posts(host: str, path: str, token: str, key: str, count: int) -> list[bytes]:
    requests = []
    for number in range(1, count + 1):
        body = json.dumps({"user": f"en_{number}", "course_details": {"course_id": key}}).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {host}\r\n{HEADER}: {token}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        requests.append(head.encode() + body)
    return requests


async def _post_rows(system: System, database: asyncpg.Connection) -> list[Row]:
    rows = []
    url = urlsplit(system.service_url("enrollment"))
    async with bare_app("enroll", database=system.databases["enrollment"], pool=10) as bare_url:
        bare = urlsplit(bare_url)
        for callers, total in REQUESTS.items():
            total = min(total, LEARNERS)
            pairs = []
            for _ in range(ROUNDS):
                rates = []
                for target, path in ((bare, "/"), (url, PATH)):
                    _, key = await _course(database)
                    requests = _posts(target.netloc, path, _internal(system), key, total)
                    done = await run(target.hostname, target.port, requests, connections=callers, total=total)
                    assert set(done.statuses) == {200}, done.statuses
                    rates.append(done.requests / done.seconds)
                pairs.append(rates)
            base, ours = (statistics.median(pair[place] for pair in pairs) for place in (0, 1))
            ratio = statistics.median(pair[1] / pair[0] for pair in pairs)
            noun = "caller" if callers == 1 else "callers"
            rows.append(Row(f"enroll POST, {callers} {noun}", ours, "req/s", base, ratio, 0.6, ">="))
    return rows


async def _list_rows(system: System, database: asyncpg.Connection) -> list[Row]:
    """First and last page of the staff list, by the time to answer, at a million enrollments."""
    await _fill(database)
    service = f"{system.service_url('enrollment')}/api/enrollment/v1/enrollments"
    token = _token(system, Caller(username="bench", user_id=1, is_staff=True))
    last = await database.fetchval("select id from enrollment order by id offset 100 limit 1")
    async with httpx.AsyncClient(headers={HEADER: token}, timeout=60) as http:
        pages = {"first": "", "last": f"?cursor={Cursor(last, back=False)}"}
        took = {name: [] for name in pages}
        for _ in range(ROUNDS * 10):
            for name, query in pages.items():
                started = time.perf_counter()
                answer = await http.get(service + query)
                took[name].append((time.perf_counter() - started) * 1000)
                assert answer.status_code == 200, answer.text
                assert len(answer.json()["results"]) == 100
    first, end = (statistics.median(took[name]) for name in ("first", "last"))
    count = await database.fetchval("select count(*) from enrollment")
    note = f"{count:,} enrollments, pages of 100"
    return [Row("staff list of enrollments, last page vs first", end, "ms", first, end / first, 1.3, "<=", note)]


async def _fill(database: asyncpg.Connection) -> None:
    users = max(1, LISTED // 100)
    await _seed(database, "li_", _FIRST_ID + 10_000_000, users)
    for _ in range(100):
        number, _ = await _course(database)
        await database.execute(
            "insert into enrollment (user_id, course_n, mode, is_active)"
            " select $1 + n, $2, 'audit', true from generate_series(1, $3) n",
            _FIRST_ID + 10_000_000,
            number,
            users,
        )
    await database.execute("analyze enrollment")


async def _latency_row(system: System, database: asyncpg.Connection) -> Row:
    """One learner after another by HTTP, idle and while commands for a hundred thousand are carried out."""
    url = f"{system.service_url('enrollment')}{PATH}"
    async with httpx.AsyncClient(timeout=60) as http:
        http.headers[HEADER] = _internal(system)
        idle = await _sample(http, url, database, lambda number: number < 100)
        http.headers[HEADER] = _internal(system)
        done = asyncio.create_task(_bulk(system, database))
        busy = await _sample(http, url, database, lambda _: not done.done())
        await done
    late, calm = percentile(busy, 0.99), percentile(idle, 0.99)
    note = f"p99 of {len(busy)}; median {percentile(busy, 0.5):.1f} ms, idle {percentile(idle, 0.5):.1f} ms"
    name = f"enroll POST while {BULK:,} are enrolled by command, p99"
    return Row(name, late, "ms", calm, late / max(calm, 0.1), 100 / max(calm, 0.1), "<=", note)


async def _sample(
    http: httpx.AsyncClient, url: str, database: asyncpg.Connection, goes_on: Callable[[int], bool]
) -> list[float]:
    _, key = await _course(database)
    took: list[float] = []
    while len(took) < LEARNERS and goes_on(len(took)):
        body = {"user": f"en_{len(took) + 1}", "course_details": {"course_id": key}}
        started = time.perf_counter()
        answer = await http.post(url, json=body)
        took.append((time.perf_counter() - started) * 1000)
        assert answer.status_code == 200, answer.text
        await asyncio.sleep(0.01)
    return took


async def _bulk(system: System, database: asyncpg.Connection) -> None:
    bench = await asyncpg.connect(system.databases["enrollment"])
    try:
        before = await bench.fetchval("select count(*) from command where answer is not null")
        bodies = []
        while len(bodies) * COMMAND < BULK:
            _, key = await _course(bench)
            for start in range(1, LEARNERS + 1, COMMAND):
                items = [{"username": f"en_{number}", "course_id": key} for number in range(start, start + COMMAND)]
                bodies.append(json.dumps({"command_id": str(uuid.uuid4()), "requested_by": "bench", "items": items}))
        async with await aio_pika.connect(system.broker.url) as connection:
            channel = await connection.channel(on_return_raises=True)
            exchange = await channel.get_exchange("lectern.commands")
            for body in bodies:
                message = aio_pika.Message(body.encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                await exchange.publish(message, routing_key="enrollment.enroll.v1")
            while await bench.fetchval("select count(*) from command where answer is not null") - before < len(bodies):
                await asyncio.sleep(0.05)
    finally:
        await bench.close()
