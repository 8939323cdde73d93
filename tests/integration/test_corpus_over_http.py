"""The corpus of bad input, sent to the running system: refused or reported, and nothing left behind."""

import asyncio
import sys
import uuid
from pathlib import Path

import pytest
from api import Client, finished, grant, new_user, push

sys.path.insert(0, str(Path(__file__).parents[1] / "corpus"))

from bad_archives import BAD_ARCHIVES, BadArchive
from odd_courses import ODD_COURSES, OddCourse

AT_ONCE = 4
SECONDS = 60.0
AT_THE_DOOR = {"nothing": "empty_upload"}
COMMON = {"orphan_file", "unnamed_block", "shared_child"}
EVERY_CODE = list({bad.code: bad for bad in BAD_ARCHIVES}.values())
A_DOZEN = ODD_COURSES[::4]


@pytest.fixture
async def robot(admin) -> Client:
    robot = await new_user(admin, f"corpus_{uuid.uuid4().hex[:8]}")
    await grant(admin, robot.username, "CorpusX")
    return robot


async def send(robot: Client, data: bytes) -> tuple[str, dict]:
    """The course an archive was sent as, and the task it became."""
    course = f"course-v1:CorpusX+C+{uuid.uuid4().hex[:8]}"
    answer = await push(robot, course, data)
    if answer.status_code != 202:
        assert answer.status_code in {400, 413, 415, 422}, answer.text
        return course, {"state": "Failed", "error": answer.json()}
    return course, await finished(robot, answer.json()["task_id"], timeout=SECONDS)


async def refused(robot: Client, bad: BadArchive, turn: asyncio.Semaphore) -> None:
    async with turn:
        course, task = await send(robot, bad.make())
        assert task["state"] == "Failed", (bad.name, task)
        code = task["error"].get("code") or task["error"].get("error_code")
        assert code == AT_THE_DOOR.get(bad.name, bad.code), (bad.name, task["error"])
        assert "Traceback" not in str(task)
        for path in (f"/api/courses/v1/courses/{course}", f"/api/content/v1/course/{course}"):
            assert (await robot.get(path)).status_code == 404, bad.name


async def reported(robot: Client, odd: OddCourse, turn: asyncio.Semaphore) -> None:
    async with turn:
        course, task = await send(robot, odd.make())
        assert task["state"] == "Succeeded", (odd.name, task)
        report = await robot.json(f"/api/v0/tasks/{task['task_id']}/report")
        codes = [entry["code"] for entry in report["entries"] if entry["code"] not in COMMON]
        assert {code: codes.count(code) for code in codes} == odd.codes, odd.name
        assert (await robot.get(f"/api/courses/v1/courses/{course}")).status_code == 200


async def all_of(work) -> None:
    turn = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as group:
        for one, robot, entry in work:
            group.create_task(one(robot, entry, turn))


async def test_one_archive_for_every_refusal_leaves_nothing_behind(robot):
    await all_of((refused, robot, bad) for bad in EVERY_CODE)
    assert (await robot.get("/health/ready")).status_code == 200


async def test_a_dozen_odd_courses_are_imported_with_a_report(robot):
    await all_of((reported, robot, odd) for odd in A_DOZEN)


@pytest.mark.torture
async def test_the_whole_corpus(robot):
    await all_of((refused, robot, bad) for bad in BAD_ARCHIVES)
    await all_of((reported, robot, odd) for odd in ODD_COURSES)
    assert (await robot.get("/health/ready")).status_code == 200
