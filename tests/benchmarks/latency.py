"""From the commit of an enrollment to its effect in another service's database, one at a time, on an idle system."""

import asyncio
import time

import asyncpg
from api import Client, enroll
from measure import Row, percentile

from common.testing.system import System

SAMPLES = 200
BAR_MS = 100.0


async def latency_rows(system: System, admin: Client) -> list[Row]:
    body = {"org": "BenchX", "number": "Latency", "run": "R", "display_name": "Latency"}
    course = (await admin.post("/course", json=body)).json()["course_key"]
    names = [f"late_{number}" for number in range(SAMPLES)]
    users = [{"username": name, "email": f"{name}@example.com"} for name in names]
    assert (await admin.post("/api/accounts/v1/users", json=users)).status_code == 201
    content = await asyncpg.connect(system.databases["content"])
    enrollment = await asyncpg.connect(system.databases["enrollment"])
    seen = await content.prepare("select count(*) from enrollment where course_key = $1 and is_active")
    took = []
    try:
        for name in names:
            before = await seen.fetchval(course)
            answer = await enroll(admin, course, user=name)
            assert answer.status_code == 200, answer.text
            while await seen.fetchval(course) == before:
                await asyncio.sleep(0.001)
            effect = time.time()
            committed = await enrollment.fetchval("select max(created_at) from outbox")
            took.append((effect - committed.timestamp()) * 1000)
            await asyncio.sleep(0.01)
    finally:
        await content.close()
        await enrollment.close()
    late = percentile(took, 0.99)
    note = f"median {percentile(took, 0.5):.1f} ms, {SAMPLES} samples, polled every millisecond"
    return [Row("event from commit to effect, p99", late, "ms", BAR_MS, late / BAR_MS, 1, "<=", note)]
