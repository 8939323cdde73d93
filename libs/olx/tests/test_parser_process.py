"""The process that reads archives: it answers, it is limited, and it is replaced when it fails."""

import asyncio
import hashlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from olx.limits import Limits
from olx.offline import pack_folder
from olx.parser_process import ParserProcess
from olx.snapshot import from_snapshot
from olx.testing import COURSE, link, tar, tar_gz

KEY = "course-v1:T+Tx+T1"


@pytest.fixture(scope="module")
async def parser() -> AsyncIterator[ParserProcess]:
    process = ParserProcess()
    await process.start()
    yield process
    await process.stop()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    folder = tmp_path / "spool"
    folder.mkdir()
    return folder


@pytest.fixture
def archive(tmp_path: Path, sample_course: Path) -> Path:
    path = tmp_path / "course.tar.gz"
    with path.open("wb") as out:
        pack_folder(sample_course, out)
    return path


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def test_a_course_becomes_a_snapshot_and_its_files(parser: ParserProcess, archive: Path, spool: Path) -> None:
    answer = await parser.parse(archive, spool, course_id=KEY)
    assert answer.ok
    assert answer.report["counts"] == {
        "errors": 0, "warnings": 0, "infos": 2, "blocks": 29, "pages": 7, "drafts": 5, "assets": 5, "files": 57
    }  # fmt: skip
    assert answer.snapshot is not None
    course = from_snapshot(orjson.loads(answer.snapshot.read_bytes()))
    assert {asset.digest: asset.size for asset in course.assets.values()} == {
        digest: asset.path.stat().st_size for digest, asset in answer.assets.items()
    }
    assert names_in(spool) == {*answer.assets, answer.snapshot.name}
    assert answer.snapshot_digest == hashlib.sha256(answer.snapshot.read_bytes()).hexdigest()


async def test_the_report_of_a_refusal_says_what_was_found_before(
    parser: ParserProcess, tmp_path: Path, spool: Path
) -> None:
    path = tmp_path / "a"
    path.write_bytes(tar_gz({**COURSE, "course.xml": "<course/>"}))
    answer = await parser.parse(path, spool, course_id=KEY)
    assert answer.code == "root_no_run"
    assert [entry["code"] for entry in answer.report["entries"]] == ["root_no_org", "root_no_course"]  # type: ignore[attr-defined]


async def test_links_are_refused_or_skipped_as_asked(parser: ParserProcess, tmp_path: Path, spool: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(
        tar([*((f"c/{name}", str(text).encode()) for name, text in COURSE.items()), link("c/static/x", "/x")])
    )
    refused = await parser.parse(path, spool, course_id=KEY)
    assert (refused.code, refused.member) == ("link_outside", "c/static/x")
    assert (await parser.parse(path, spool, course_id=KEY, links="skip")).ok


async def test_a_library_key_wants_a_library(parser: ParserProcess, archive: Path, spool: Path) -> None:
    answer = await parser.parse(archive, spool, course_id="library-v1:T+L")
    assert answer.code == "no_course_xml"


async def test_a_request_that_makes_no_sense_is_answered(parser: ParserProcess, archive: Path, spool: Path) -> None:
    assert (await parser.parse(archive, spool, course_id="nonsense")).code == "bad_request"
    assert (await parser.parse(archive.parent / "none", spool, course_id=KEY)).code == "spool_failed"
    assert (await parser.parse(archive, spool / "none", course_id=KEY)).code == "spool_failed"


async def test_limits_are_the_callers(parser: ParserProcess, archive: Path, spool: Path) -> None:
    answer = await parser.parse(archive, spool, course_id=KEY, limits=Limits(members=10))
    assert answer.code == "too_many_members"


async def test_a_dead_process_is_told_and_replaced(parser: ParserProcess, archive: Path, spool: Path) -> None:
    await parser.start()
    assert parser.pid is not None
    os.kill(parser.pid, signal.SIGSTOP)
    asking = asyncio.create_task(parser.parse(archive, spool, course_id=KEY))
    await asyncio.sleep(0)
    os.kill(parser.pid, signal.SIGKILL)
    assert (await asking).code == "parser_died"
    assert (await parser.parse(archive, spool, course_id=KEY)).ok


async def test_a_slow_process_is_stopped_and_replaced(parser: ParserProcess, archive: Path, spool: Path) -> None:
    await parser.start()
    slow = parser.pid
    assert slow is not None
    os.kill(slow, signal.SIGSTOP)
    assert (await parser.parse(archive, spool, course_id=KEY, timeout=0.05)).code == "too_slow"
    assert (await parser.parse(archive, spool, course_id=KEY)).ok
    assert parser.pid != slow


async def test_a_cancelled_request_leaves_no_answer_behind(parser: ParserProcess, archive: Path, spool: Path) -> None:
    await parser.start()
    assert parser.pid is not None
    os.kill(parser.pid, signal.SIGSTOP)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await parser.parse(archive, spool, course_id=KEY)
    answer = await parser.parse(archive, spool, course_id="library-v1:T+L")
    assert answer.code == "no_course_xml"


async def test_memory_is_bounded(tmp_path: Path, spool: Path) -> None:
    hungry = ParserProcess(memory_bytes=160 << 20)
    path = tmp_path / "a"
    path.write_bytes(
        tar_gz(
            {
                **COURSE,
                "html/x.xml": "<a>" + "<b/>" * 1_000_000 + "</a>",
                "course/R.xml": '<course><html url_name="x"/></course>',
            }
        )
    )
    try:
        answer = await hungry.parse(path, spool, course_id=KEY, limits=Limits(ratio=10_000))
        assert answer.code in ("too_much_memory", "parser_died")
        path.write_bytes(tar_gz(COURSE))
        assert (await hungry.parse(path, spool, course_id=KEY)).ok
    finally:
        await hungry.stop()


async def test_processor_time_is_bounded(tmp_path: Path) -> None:
    code = "import olx.worker as w; w._limit_processor_time(0.0)\nwhile True: pass"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await asyncio.wait_for(process.wait(), 10) == -signal.SIGXCPU


async def test_a_parser_opens_no_connection_and_starts_no_process() -> None:
    code = """
import sys, olx.worker as w
sys.addaudithook(w._forbid)
import socket, subprocess, os
for attempt in (socket.socket, lambda: subprocess.run(["true"]), lambda: os.system("true"), os.fork):
    try:
        attempt()
    except PermissionError:
        continue
    sys.exit(1)
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await process.wait() == 0


async def test_a_worker_ends_with_its_input() -> None:
    process = ParserProcess()
    await process.start()
    assert process.pid is not None
    await process.stop()
    assert process.pid is None


async def test_a_round_trip_is_tried_on_demand(parser: ParserProcess, archive: Path, spool: Path) -> None:
    answer = await parser.parse(archive, spool, course_id=KEY, round_trip=True)
    assert answer.round_trip == {"equal": True, "count": 0, "differences": [], "changed_files": []}
    assert (await parser.parse(archive, spool, course_id=KEY)).round_trip is None
