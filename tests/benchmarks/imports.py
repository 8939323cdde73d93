"""Import and export of the demo course (or of a course of the same size, made here) beside their bare baselines."""

import asyncio
import hashlib
import io
import itertools
import tarfile
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from api import Client, export_course, push
from bare import bare_app
from isal import igzip
from lxml import etree
from measure import Row, interleaved

DEMO = "courses/openedx-demo-course.tar.gz"


def members_of(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}


def packed(members: dict[str, bytes], *, level: int = 1) -> bytes:
    """The bare way to make a tar.gz: tarfile over isal."""
    buffer = io.BytesIO()
    with (
        igzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=level, mtime=0) as squeezed,
        tarfile.open(fileobj=squeezed, mode="w|", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name in sorted(members):
            member = tarfile.TarInfo(name)
            member.size = len(members[name])
            tar.addfile(member, io.BytesIO(members[name]))
    return buffer.getvalue()


def fresh(members: dict[str, bytes], seed: str) -> bytes:
    """The same course with every static file and html text different, so that nothing of it is stored yet."""
    mark = f"<!-- {seed} -->".encode()
    changed = {
        name: data + mark if "/static/" in name or name.endswith(".html") else data for name, data in members.items()
    }
    return packed(changed)


def made_course() -> dict[str, bytes]:
    """Where the demo course is not at hand: 401 blocks and 124 static files of our own, of the same size."""
    files: dict[str, bytes] = {"course/course.xml": b'<course url_name="R" org="BenchX" course="Made"/>'}
    chapters, units = [], 0
    for chapter in range(6):
        sequentials = []
        for sequential in range(3):
            verticals = []
            for vertical in range(3):
                blocks = [f'<html url_name="h{units}_{n}"/>' for n in range(6)]
                for n in range(6):
                    files[f"course/html/h{units}_{n}.xml"] = (
                        f'<html filename="h{units}_{n}" display_name="T"/>'.encode()
                    )
                    files[f"course/html/h{units}_{n}.html"] = (f"<p>{units} {n}</p>" * 700).encode()
                name = f"v{chapter}_{sequential}_{vertical}"
                files[f"course/vertical/{name}.xml"] = (
                    f'<vertical display_name="U">{"".join(blocks)}</vertical>'.encode()
                )
                verticals.append(f'<vertical url_name="{name}"/>')
                units += 1
            name = f"s{chapter}_{sequential}"
            files[f"course/sequential/{name}.xml"] = (
                f'<sequential display_name="S">{"".join(verticals)}</sequential>'.encode()
            )
            sequentials.append(f'<sequential url_name="{name}"/>')
        files[f"course/chapter/c{chapter}.xml"] = f'<chapter display_name="C">{"".join(sequentials)}</chapter>'.encode()
        chapters.append(f'<chapter url_name="c{chapter}"/>')
    files["course/course/R.xml"] = f'<course display_name="Made">{"".join(chapters)}</course>'.encode()
    for number in range(124):
        seed = hashlib.sha256(str(number).encode()).digest()
        files[f"course/static/file{number}.bin"] = b"".join(
            hashlib.sha256(seed + bytes([n % 256, n // 256])).digest() for n in range(4000)
        )
    return files


def bare_read(archive: bytes) -> float:
    """Inflate, untar and parse every XML file, in memory, and nothing else."""
    started = time.perf_counter()
    with tarfile.open(fileobj=igzip.GzipFile(fileobj=io.BytesIO(archive)), mode="r|") as tar:
        for member in tar:
            if not member.isfile():
                continue
            data = tar.extractfile(member).read()
            if member.name.endswith(".xml"):
                etree.fromstring(data)
    return time.perf_counter() - started


async def timed_import(robot: Client, course: str, archive: bytes) -> float:
    """From the first byte of the upload to the catalogue's answer."""
    started = time.perf_counter()
    answer = await push(robot, course, archive)
    assert answer.status_code == 202, answer.text
    deadline = time.monotonic() + 60
    while True:
        task = await robot.json(f"/api/v0/tasks/{answer.json()['task_id']}")
        if task["state"] in {"Succeeded", "Failed"}:
            break
        assert time.monotonic() < deadline, task
        await asyncio.sleep(0.01)
    assert task["state"] == "Succeeded", task
    assert (await robot.get(f"/api/courses/v1/courses/{course}")).status_code == 200
    return time.perf_counter() - started


async def import_rows(robot: Client, shared: Path) -> list[Row]:
    demo = shared / DEMO
    members = members_of(demo.read_bytes()) if demo.exists() else made_course()
    name = "demo course" if demo.exists() else "a made course of the demo's size"
    rounds = [fresh(members, f"round {number}") for number in range(6)]
    turn = iter(range(100))

    async def baseline() -> float:
        return await asyncio.to_thread(bare_read, rounds[0])

    async def first() -> float:
        number = next(turn)
        return await timed_import(robot, f"course-v1:BenchX+Import+R{number}", rounds[number % 6])

    await timed_import(robot, "course-v1:BenchX+Import+warm", rounds[5])
    value, base, ratio = await interleaved(first, baseline)
    rows = [Row(f"import of {name}, upload to catalogue", value, "s", base, ratio, 8, "<=")]

    async def identical() -> float:
        return await timed_import(robot, "course-v1:BenchX+Import+R0", rounds[0])

    value, base, ratio = await interleaved(identical, baseline)
    rows.append(Row("  identical bytes again", value, "s", base, ratio, 2, "<="))
    levels = iter((2, 3, 0, 2, 3, 0, 2))
    contents = members_of(rounds[0])

    async def equal() -> float:
        archive = await asyncio.to_thread(_other_bytes, contents, next(levels))
        return await timed_import(robot, "course-v1:BenchX+Import+R0", archive)

    value, base, ratio = await interleaved(equal, baseline)
    rows.append(Row("  equal content in other bytes", value, "s", base, ratio, 5, "<="))
    return [*rows, *await _export_rows(robot, contents)]


_numbers = itertools.count(1)


def _other_bytes(contents: dict[str, bytes], level: int) -> bytes:
    """Other bytes every time: a comment file outside the course changes the archive, not the course."""
    return packed({**contents, "course/README.bench": str(next(_numbers)).encode()}, level=level)


async def _export_rows(robot: Client, contents: dict[str, bytes]) -> list[Row]:
    turn = iter(range(100))

    async def bare_write() -> float:
        started = time.perf_counter()
        await asyncio.to_thread(packed, contents)
        return time.perf_counter() - started

    async def first() -> float:
        course = f"course-v1:BenchX+Import+R{next(turn)}"
        started = time.perf_counter()
        await export_course(robot, course)
        return time.perf_counter() - started

    value, base, ratio = await interleaved(first, bare_write)
    rows = [Row("export, first", value, "s", base, ratio, 2, "<=")]
    archive = await export_course(robot, "course-v1:BenchX+Import+R0")
    async with _file_server(archive) as url, httpx.AsyncClient() as http:

        async def plain() -> float:
            started = time.perf_counter()
            assert len((await http.get(url)).content) == len(archive)
            return time.perf_counter() - started

        async def again() -> float:
            started = time.perf_counter()
            await export_course(robot, "course-v1:BenchX+Import+R0")
            return time.perf_counter() - started

        value, base, ratio = await interleaved(again, plain)
    return [*rows, Row("export, again", value, "s", base, ratio, 3, "<=")]


@asynccontextmanager
async def _file_server(archive: bytes) -> AsyncIterator[str]:
    """A bare ASGI file response under uvicorn, in a process of its own."""
    with tempfile.NamedTemporaryFile(suffix=".tar.gz") as file:
        file.write(archive)
        file.flush()
        async with bare_app("file", path=file.name) as url:
            yield url
