"""Memory of the five processes (and their children), idle and with a large course on its way: the sum of PSS."""

import asyncio
import io
import os
import random
import tarfile
import zipfile
from collections.abc import Awaitable
from pathlib import Path

from api import Client, export_course, finished, push
from measure import Row, proportional_memory

from common.testing.system import SERVICES, System

BAR_MB = 500.0
MORE_MB = 150.0
# LECTERN_BENCH_MB makes the large course smaller, to try the measurement itself
FILES = int(os.environ.get("LECTERN_BENCH_MB", "100"))


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        found.append(current)
        todo += children.get(current, [])
    return found


def used(system: System) -> float:
    """Megabytes."""
    pids = {pid for service in SERVICES for pid in family(system.child(service).pid)}
    total = 0
    for pid in pids:
        try:
            total += proportional_memory(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total / 1e6


def large_course(kind: str) -> bytes:
    """A small course with many files of a megabyte that no packing makes smaller."""
    noise = random.Random(kind)
    files = {
        "course/course.xml": b'<course url_name="R" org="BenchX" course="Large"/>',
        "course/course/R.xml": b'<course display_name="Large"><chapter url_name="c"/></course>',
        "course/chapter/c.xml": b'<chapter display_name="C"/>',
    }
    files |= {f"course/static/f{number}.bin": noise.randbytes(1_000_000) for number in range(FILES)}
    out = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(out, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return out.getvalue()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


async def peak_during(system: System, work: Awaitable[object]) -> float:
    """The most that was used while *work* went on, in megabytes."""
    task = asyncio.ensure_future(work)
    peak = 0.0
    while not task.done():
        peak = max(peak, await asyncio.to_thread(used, system))
        await asyncio.wait({task}, timeout=0.03)
    await task
    return max(peak, used(system))


async def large_rows(system: System, robot: Client) -> list[Row]:
    rows: list[Row] = []

    async def bring(course: str, kind: str, archive: bytes) -> None:
        answer = await push(robot, course, archive, name="course.zip" if kind == "zip" else "course.tar.gz")
        assert answer.status_code == 202, answer.text
        task = await finished(robot, answer.json()["task_id"], timeout=300)
        assert task["state"] == "Succeeded", task

    for kind in ("tar.gz", "zip"):
        archive = await asyncio.to_thread(large_course, kind)
        course = f"course-v1:BenchX+Large+{kind.replace('.', '')}"
        size = f"{len(archive) / 1e6:.0f} MB"
        idle = used(system)
        more = await peak_during(system, bring(course, kind, archive)) - idle
        rows.append(Row(f"memory while importing {size} of {kind}", more, "MB", MORE_MB, more / MORE_MB, 1, "<="))
        del archive
        more = await peak_during(system, export_course(robot, course)) - idle
        rows.append(Row(f"memory while exporting {size}", more, "MB", MORE_MB, more / MORE_MB, 1, "<="))
    return rows


def memory_rows(system: System) -> list[Row]:
    value = used(system)
    return [Row("memory of all five processes, idle (PSS)", value, "MB", BAR_MB, value / BAR_MB, 1, "<=")]
