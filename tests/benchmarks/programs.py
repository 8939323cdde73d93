"""Program enrollments: a POST of 25 beside a bare application with the same statements, a job beside the bare rate."""

import asyncio
import json
import statistics
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import load
from api import Client
from joserfc.jwk import OKPKey
from measure import ROUNDS, Row, interleaved

from common.identity import HEADER, Caller, sign
from common.testing.keeper import free_ports
from common.testing.system import System

RECORDS, CALLS, PROGRAMS = 25, 200, 8
ROWS, PIECE = 100_000, 1000
CURRICULUM = "00000000-1111-2222-3333-444444444444"

_PROGRAM = """
insert into program (uuid, version, title, type, slug, organization, curriculum_uuid)
values ($1, 0, 'Bench', 'Masters', 'bench', 'BenchX', $2) on conflict do nothing
"""
# What the service stores for a key: the row and a line of history.
_BARE = """
with n as (
  insert into bare_program_enrollment (program_uuid, curriculum_uuid, external_user_key, folded, status)
  select $1, $2, key, key, 'enrolled' from unnest($3::text[]) as key
  on conflict do nothing returning id, status, version)
insert into bare_program_history (program_enrollment_id, source, actor, job_id, status, version)
select id, 'job', 'bench', $1, status, version from n"""
_BARE_TABLES = (
    "drop table if exists bare_program_enrollment, bare_program_history",
    "create table bare_program_enrollment (like program_enrollment including all)",
    "create table bare_program_history (like program_history including all)",
)


async def program_rows(system: System, admin: Client) -> list[Row]:
    database = await asyncpg.connect(system.databases["enrollment"])
    try:
        rows = [await _posts(system, database, connections) for connections in (1, 8)]
        rows.append(await _job(database, admin))
    finally:
        await database.execute(_BARE_TABLES[0])
        await database.close()
    return rows


async def _programs(database: asyncpg.Connection, count: int) -> list[str]:
    made = [str(uuid.uuid4()) for _ in range(count)]
    for program in made:
        await database.execute(_PROGRAM, program, CURRICULUM)
    return made


@asynccontextmanager
async def _bare_app(url: str) -> AsyncIterator[tuple[str, int]]:
    [port] = free_ports(1)
    script = str(Path(__file__).with_name("bare_programs.py"))
    process = await asyncio.create_subprocess_exec(sys.executable, script, json.dumps({"url": url, "port": port}))
    try:
        for _ in range(400):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        yield "127.0.0.1", port
    finally:
        process.terminate()
        await process.wait()


async def _posts(system: System, database: asyncpg.Connection, connections: int) -> Row:
    """Calls per second, each with 25 new keys, spread over eight programs."""
    programs = await _programs(database, PROGRAMS)
    address = urlsplit(system.service_url("enrollment"))
    key = OKPKey.import_key(json.loads(system.internal_private_key))

    def requests(headers: str) -> list[bytes]:
        made = []
        for number in range(CALLS):
            records = [
                {"student_key": uuid.uuid4().hex, "status": "enrolled", "curriculum_uuid": CURRICULUM}
                for _ in range(RECORDS)
            ]
            body = json.dumps(records)
            path = f"/api/program_enrollments/v1/programs/{programs[number % PROGRAMS]}/enrollments/"
            made.append(
                f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
        return made

    async with _bare_app(system.databases["enrollment"]) as bare:

        async def rate(host: str, port: int, headers: str) -> float:
            result = await load.run(host, port, requests(headers), connections=connections, total=CALLS)
            assert result.statuses == {201: CALLS}, result.statuses
            return CALLS / result.seconds

        async def ours() -> float:
            caller = Caller(username="bench", user_id=1, is_staff=True)
            token = sign(caller, audience="enrollment", key=key)
            return await rate(address.hostname or "", address.port or 0, f"{HEADER}: {token}\r\n")

        value, base, ratio = await interleaved(ours, lambda: rate(*bare, ""))
    plural = "caller" if connections == 1 else "callers"
    return Row(f"program POST of 25, {connections} {plural}", value, "calls/s", base, ratio, 0.6, ">=")


async def _job(database: asyncpg.Connection, admin: Client) -> Row:
    """Rows per second from the first byte of the file until the job has its result."""
    rates, bases = [], []
    for _ in range(min(ROUNDS, 3)):
        bases.append(await _bare(database))
        [program] = await _programs(database, 1)
        file = "student_key,status\n" + "".join(f"key-{number},enrolled\n" for number in range(ROWS))
        started = time.perf_counter()
        path = f"/api/enrollment_jobs/v1/programs/{program}/enrollments"
        answer = await admin.post(path, content=file.encode(), headers={"content-type": "text/csv"})
        assert answer.status_code == 202, answer.text
        while True:
            job = (await admin.get(f"/api/enrollment_jobs/v1/jobs/{answer.json()['job_id']}")).json()
            if job["finished"]:
                break
            await asyncio.sleep(0.05)
        rates.append(ROWS / (time.perf_counter() - started))
        assert (job["state"], job["good"]) == ("Succeeded", ROWS), job
    ratio = statistics.median(rate / base for rate, base in zip(rates, bases, strict=True))
    note = "the job's clock holds upload, reading twice, staging and the result file"
    return Row(
        f"program job of {ROWS:,} rows",
        statistics.median(rates),
        "rows/s",
        statistics.median(bases),
        ratio,
        0.25,
        ">=",
        note,
    )


async def _bare(database: asyncpg.Connection) -> float:
    for statement in _BARE_TABLES:
        await database.execute(statement)
    statement = await database.prepare(_BARE)
    program = uuid.uuid4()
    started = time.perf_counter()
    for start in range(0, ROWS, PIECE):
        await statement.fetch(
            program, uuid.UUID(CURRICULUM), [f"key-{number}" for number in range(start, start + PIECE)]
        )
    return ROWS / (time.perf_counter() - started)
