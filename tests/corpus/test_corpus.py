"""Every bad archive and odd course, read as an import reads it: in the parser's process, within time and memory."""

import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import orjson
import pytest
from bad_archives import BAD_ARCHIVES, BadArchive
from make_corpus import NUMBERED, write
from odd_courses import ODD_COURSES, OddCourse

from olx.parser_process import ParserProcess
from olx.snapshot import from_snapshot

KEY = "course-v1:T+Tx+T1"
SECONDS = 10.0
MEBIBYTES = 250


@pytest.fixture(scope="module")
async def parser() -> AsyncIterator[ParserProcess]:
    process = ParserProcess()
    await process.start()
    yield process
    await process.stop()


@pytest.fixture(autouse=True)
def within_bounds(parser: ParserProcess) -> Iterator[None]:
    """Time of the processor and memory, and the process lives on."""
    pid, before = parser.pid, seconds_of(parser)
    yield
    assert parser.pid == pid
    assert seconds_of(parser) - before < SECONDS
    assert peak_mebibytes(parser) < MEBIBYTES


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def seconds_of(parser: ParserProcess) -> float:
    fields = Path(f"/proc/{parser.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def peak_mebibytes(parser: ParserProcess) -> int:
    status = Path(f"/proc/{parser.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024


@pytest.mark.parametrize("bad", BAD_ARCHIVES, ids=lambda bad: bad.name)
async def test_a_bad_archive_is_refused_for_its_reason(bad: BadArchive, parser: ParserProcess, tmp_path: Path) -> None:
    archive, spool = tmp_path / "archive", tmp_path / "spool"
    archive.write_bytes(bad.make())
    spool.mkdir()
    answer = await parser.parse(archive, spool, course_id=KEY)
    assert (answer.ok, answer.code) == (False, bad.code)
    assert answer.message
    assert answer.snapshot is None
    assert names_in(tmp_path) == ["archive", "spool"]


@pytest.mark.parametrize("odd", ODD_COURSES, ids=lambda odd: odd.name[:50])
async def test_what_is_odd_is_left_out_and_reported(odd: OddCourse, parser: ParserProcess, tmp_path: Path) -> None:
    archive, spool = tmp_path / "archive", tmp_path / "spool"
    archive.write_bytes(odd.make())
    spool.mkdir()
    answer = await parser.parse(archive, spool, course_id=KEY, round_trip=True)
    assert answer.ok, answer.message
    entries = answer.report["entries"]
    assert isinstance(entries, list)
    codes = [
        entry["code"] for entry in entries if entry["code"] not in ("orphan_file", "unnamed_block", "shared_child")
    ]
    assert {code: codes.count(code) for code in codes} == odd.codes
    assert answer.snapshot is not None
    text = answer.snapshot.read_bytes()
    assert b"root:x:" not in text
    course = from_snapshot(orjson.loads(text))
    assert len(course.blocks) == odd.blocks
    root = course.blocks["course@course"].settings
    assert {name: root.get(name) for name in odd.extra} == odd.extra
    assert answer.round_trip is not None
    assert answer.round_trip["equal"] is True


def test_nothing_is_asked_of_the_network(tmp_path: Path) -> None:
    """What the corpus points at stays silent, though here it would be answered."""
    with socket.socket() as canary:
        canary.bind(("127.0.0.1", 0))
        canary.listen()
        canary.settimeout(0.2)
        port = canary.getsockname()[1]
        heard: list[bytes] = []

        def listen() -> None:
            deadline = time.monotonic() + 2
            while not heard and time.monotonic() < deadline and not done.is_set():
                try:
                    connection, _ = canary.accept()
                except TimeoutError:
                    continue
                heard.append(connection.recv(100))
                connection.close()

        done = threading.Event()
        thread = threading.Thread(target=listen)
        thread.start()
        from olx.testing import read_files

        for odd in ODD_COURSES:
            if "network" in odd.name or "fetch" in odd.name:
                files = {
                    path: text.replace("127.0.0.1:9", f"127.0.0.1:{port}") if isinstance(text, str) else text
                    for path, text in odd.files().items()
                }
                read_files(files)
        done.set()
        thread.join()
    assert heard == []


def test_the_corpus_covers_the_list(tmp_path: Path) -> None:
    names = {bad.name for bad in BAD_ARCHIVES} | {odd.name for odd in ODD_COURSES}
    assert len(names) == len(BAD_ARCHIVES) + len(ODD_COURSES)
    for number, covering in NUMBERED.items():
        assert covering, number
        assert names.issuperset(covering), (number, set(covering) - names)
    assert sorted(NUMBERED) == list(range(1, 56))


def test_the_corpus_can_be_written_to_a_folder(tmp_path: Path) -> None:
    listed = write(tmp_path, only={"nothing", "zip with a link", "a NUL"})
    assert {entry["name"]: entry["expected"] for entry in listed} == {
        "nothing": "empty_archive",
        "zip with a link": "link_outside",
        "a NUL": {"xml_broken": 1},
    }
    assert all((tmp_path / str(entry["file"])).is_file() for entry in listed)
    assert orjson.loads((tmp_path / "manifest.json").read_bytes()) == listed
