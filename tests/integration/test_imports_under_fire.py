"""Whatever is killed in mid-import, the course is entirely old or entirely new, and the task says which."""

import asyncio
import contextlib
import io
import random
import re
import tarfile
import uuid

import asyncpg
import httpx
import pytest
from api import Client, admin_of, export_course, finished, import_course, push

from common.testing.waiting import until

MARK = re.compile(rb"mark-(\d+)-")
CHAPTERS, UNITS = 4, 12


def marked(mark: int) -> bytes:
    """A course every part of which says the same: blocks, pages, files, policy."""
    text = f"mark-{mark}-"
    files: dict[str, bytes] = {
        "course/course.xml": b'<course url_name="R" org="FireX" course="F"/>',
        "course/about/overview.html": f"<p>{text}</p>".encode(),
        "course/policies/R/policy.json": f'{{"course/R": {{"display_name": "{text}"}}}}'.encode(),
    }
    chapters = []
    for chapter in range(CHAPTERS):
        units = [f'<vertical url_name="u{chapter}_{unit}"/>' for unit in range(UNITS)]
        for unit in range(UNITS):
            name = f"{chapter}_{unit}"
            files[f"course/vertical/u{name}.xml"] = f'<vertical><html url_name="h{name}"/></vertical>'.encode()
            files[f"course/html/h{name}.xml"] = f'<html filename="h{name}" display_name="{text}"/>'.encode()
            files[f"course/html/h{name}.html"] = f"<p>{text}{name}</p>".encode() * 50
            noise = random.Random(f"{mark} {name}").randbytes(20_000)
            files[f"course/static/f{name}.bin"] = f"{text}{name}".encode() + noise.replace(b"mark-", b"kram-")
        sequential = f'<sequential url_name="s{chapter}">{"".join(units)}</sequential>'
        files[f"course/chapter/c{chapter}.xml"] = f'<chapter display_name="{text}">{sequential}</chapter>'.encode()
        chapters.append(f'<chapter url_name="c{chapter}"/>')
    files["course/course/R.xml"] = f"<course>{''.join(chapters)}</course>".encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def marks_in(archive: bytes) -> dict[str, int]:
    """How often each mark stands in a course's export."""
    found: dict[str, int] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            data = tar.extractfile(member).read()
            for mark in MARK.findall(data):
                found[mark.decode()] = found.get(mark.decode(), 0) + 1
    return found


async def standing(client: Client, course: str) -> int:
    """The mark of a course that has one mark only, in both branches."""
    both = [marks_in(await export_course(client, course, branch=branch)) for branch in ("published", "draft")]
    assert both[0] == both[1], both
    (mark,) = both[0]
    assert both[0][mark] > CHAPTERS * UNITS * 52
    return int(mark)


async def robot_of(system, credentials, http) -> Client:
    return await admin_of(http, credentials)


async def push_until_taken(client: Client, course: str, archive: bytes) -> str:
    """As a CI job does: the same key until there is an answer."""
    key = uuid.uuid4().hex
    while True:
        with contextlib.suppress(httpx.TransportError):
            answer = await client.post(
                f"/api/v0/import/{course}",
                files={"course_data": ("course.tar.gz", archive, "application/gzip")},
                headers={"Idempotency-Key": key},
            )
            if answer.status_code == 202:
                return answer.json()["task_id"]
            assert answer.status_code in {500, 502, 503, 504}, answer.text
        await asyncio.sleep(0.1)


async def ended(client: Client, task_id: str, *, timeout: float = 60) -> dict:
    async def check() -> dict | None:
        with contextlib.suppress(httpx.TransportError):
            answer = await client.get(f"/api/v0/tasks/{task_id}")
            if answer.status_code == 200 and answer.json()["state"] in {"Succeeded", "Failed", "Canceled"}:
                return answer.json()
        return None

    return await until(check, timeout=timeout, what=f"end of task {task_id}")


async def nothing_is_left(system, course: str) -> None:
    """Of imports one snapshot a course stays, of exports their archives; no spool folder and no job's upload.

    An upload whose receiver was killed before it had stored the job belongs to none: the hourly sweep takes it.
    """
    blobs = system.home / "blobs"
    connection = await asyncpg.connect(system.databases["import-export"])
    left: list[str] = []
    try:

        async def clean() -> bool:
            leaving = await connection.fetch("select key from leaving_blob")
            kept = {row[0] for row in await connection.fetch("select snapshot from job where snapshot is not null")}
            there = {f"snapshots/{path.name}" for path in (blobs / "snapshots").glob("*")}
            left[:] = [f"leaving {row['key']}" for row in leaving]
            left.extend(f"kept or there, not both: {key}" for key in kept ^ there)
            jobs = {str(row["id"]) for row in await connection.fetch("select id from job")}
            left.extend(str(path) for path in (blobs / "uploads").glob("*") if path.name in jobs)
            left.extend(map(str, (system.home / "spool").iterdir()))
            return not left

        try:
            await until(clean, timeout=15, what="tidiness")
        except AssertionError:
            pytest.fail(f"not tidy: {left[:10]}")
        mine = await connection.fetchval(
            "select count(*) from job where course_id = $1 and kind = 'import' and snapshot is not null", course
        )
        assert mine <= 1
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "kills",
    [
        pytest.param(3, marks=pytest.mark.timeout(300)),
        pytest.param(20, marks=[pytest.mark.torture, pytest.mark.timeout(900)]),
    ],
)
@pytest.mark.parametrize("victim", ["import-export", "content"])
async def test_a_kill_at_any_point_of_an_import_leaves_the_old_or_the_new_course(
    system, credentials, http, victim, kills
):
    admin = await robot_of(system, credentials, http)
    course = f"course-v1:FireX+F+{uuid.uuid4().hex[:8]}"
    await import_course(admin, course, marked(0))
    chance = random.Random(f"{victim} {kills}")
    last = 0
    for mark in range(1, kills + 1):
        pushing = asyncio.create_task(push_until_taken(admin, course, marked(mark)))
        await asyncio.sleep(chance.uniform(0.0, 0.7))
        system.kill(victim)
        await asyncio.sleep(chance.uniform(0.0, 0.2))
        system.again(victim)
        task = await ended(admin, await pushing)
        now = await standing(admin, course)
        assert now == (mark if task["state"] == "Succeeded" else last), task
        last = now
        if task["state"] == "Succeeded":
            exported = await admin.get(
                f"/api/v0/export/{course}", params={"branch": "draft"}, headers={"Accept": "application/x-tgz"}
            )
            assert exported.headers["etag"] == f'"{task["draft_version"]}"'
    assert last > 0
    await nothing_is_left(system, course)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("server", ["broker", "postgres"])
async def test_a_restart_of_a_server_in_mid_import_costs_time_only(system, credentials, http, server):
    admin = await robot_of(system, credentials, http)
    course = f"course-v1:FireX+F+{uuid.uuid4().hex[:8]}"
    await import_course(admin, course, marked(0))
    pushing = asyncio.create_task(push_until_taken(admin, course, marked(1)))
    await asyncio.sleep(0.25)
    victim = getattr(system, server)
    await asyncio.to_thread(victim.kill)
    await asyncio.sleep(0.3)
    await asyncio.to_thread(victim.restart)
    task = await ended(admin, await pushing, timeout=90)
    assert task["state"] == "Succeeded", task
    await asyncio.to_thread(system.wait_ready)
    assert await standing(admin, course) == 1
    await nothing_is_left(system, course)


async def test_ten_imports_of_ten_courses_at_once(system, credentials, http):
    admin = await robot_of(system, credentials, http)
    courses = [f"course-v1:FireX+F+{uuid.uuid4().hex[:8]}" for _ in range(10)]
    archives = [marked(number) for number in range(10)]
    answers = await asyncio.gather(*(push(admin, *pair) for pair in zip(courses, archives, strict=True)))
    tasks = await asyncio.gather(*(finished(admin, answer.json()["task_id"]) for answer in answers))
    assert {task["state"] for task in tasks} == {"Succeeded"}
    for number in (0, 4, 9):
        assert await standing(admin, courses[number]) == number


async def test_two_imports_of_one_course_at_once_come_one_after_the_other(system, credentials, http):
    admin = await robot_of(system, credentials, http)
    course = f"course-v1:FireX+F+{uuid.uuid4().hex[:8]}"
    await import_course(admin, course, marked(0))
    first = await push(admin, course, marked(1))
    busy = await push(admin, course, marked(3), busy="refuse")
    assert (busy.status_code, busy.json()["error_code"]) == (409, "import_in_progress")
    second = await push(admin, course, marked(2))
    tasks = [await finished(admin, answer.json()["task_id"]) for answer in (first, second)]
    assert [task["state"] for task in tasks] == ["Succeeded", "Succeeded"]
    assert tasks[0]["finished"] < tasks[1]["finished"]
    assert await standing(admin, course) == 2
    again = await import_course(admin, course, marked(2))
    assert again["counts"]["outcome"] == "unchanged"
    assert again["draft_version"] == tasks[1]["draft_version"]
