"""The process that reads archives nobody vouches for: `python -m olx.worker`.

One request per line on standard input, one answer per line on standard output, both JSON. It limits its own memory,
processor time, file sizes and open files, opens no connection and starts no process. Whoever started it gives it
credentials for nothing: all it needs is a file to read and a directory to write to.
"""

import argparse
import hashlib
import os
import resource
import sys
from pathlib import Path
from typing import Final

import orjson

from common.keys import CourseKey, InvalidKey
from olx.archive import LinkRule
from olx.errors import ArchiveRefused
from olx.limits import Limits
from olx.reader import read_course_archive
from olx.report import Report
from olx.round_trip import round_trip
from olx.snapshot import to_snapshot

Answer = dict[str, object]

_FORBIDDEN_EVENTS: Final = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.system", "ctypes.")


class BadRequest(ValueError):
    """A request is not of the documented form."""


def answer_request(line: bytes) -> Answer:
    """Read the archive a request names; whatever is wrong with the archive is an answer, not an exception."""
    request = _read_request(line)
    _limit_processor_time(request.limits.seconds)
    report = Report()
    answer: Answer = {}
    try:
        _read(request, report, answer)
    except ArchiveRefused as refused:
        answer |= {"ok": False, "code": refused.code, "message": refused.message, "report": report.to_json()}
        if refused.member:
            answer["member"] = refused.member
    return answer


def _read(request: "_Request", report: Report, answer: Answer) -> None:
    spool = request.spool
    try:
        course, _ = read_course_archive(
            request.archive,
            spool,
            limits=request.limits,
            links=request.links,
            kind=request.course.kind,
            report=report,
        )
        document = to_snapshot(course, request.course)
        snapshot = orjson.dumps(document)
        if request.round_trip:
            answer["round_trip"] = round_trip(document).to_json()
        digest = hashlib.sha256(snapshot).hexdigest()
        path = spool / f"snapshot-{digest[:16]}.json"
        path.write_bytes(snapshot)
        assets = {
            asset.digest: {"path": str(spool / asset.digest), "size": asset.size} for asset in course.assets.values()
        }
        _forget_others(spool, {*assets, path.name})
    except MemoryError as error:
        raise ArchiveRefused("too_much_memory") from error
    except OSError as error:
        raise ArchiveRefused("spool_failed", f"The reader could not read or store: {error.strerror}") from error
    answer |= {
        "ok": True,
        "snapshot": str(path),
        "snapshot_digest": digest,
        "report": report.to_json(),
        "assets": assets,
    }


class _Request:
    def __init__(self, given: dict[str, object]) -> None:
        links = given.get("links", "refuse")
        limits = given.get("limits") or {}
        if links not in ("refuse", "skip") or not isinstance(limits, dict):
            raise BadRequest("links or limits")
        self.round_trip = given.get("round_trip") is True
        self.links: LinkRule = "skip" if links == "skip" else "refuse"
        try:
            self.archive = Path(str(given["archive"]))
            self.spool = Path(str(given["spool"]))
            self.course = CourseKey.parse(str(given["course_id"]))
            self.limits = Limits.from_json(limits)
        except (KeyError, ValueError, InvalidKey) as error:
            raise BadRequest(str(error)) from error


def _read_request(line: bytes) -> _Request:
    try:
        given = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadRequest(str(error)) from error
    if not isinstance(given, dict):
        raise BadRequest("not an object")
    return _Request(given)


def _forget_others(spool: Path, wanted: set[str]) -> None:
    """Large texts wait in the spool while they are read; they are no assets."""
    for file in spool.iterdir():
        if file.name not in wanted and (file.name.startswith(".part-") or len(file.name) == 64):
            file.unlink()


def _limit_processor_time(seconds: float) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _limit_process(memory_bytes: int, file_bytes: int, open_files: int) -> None:
    for kind, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, open_files),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _forbid(event: str, _arguments: tuple[object, ...]) -> None:
    if event.startswith(_FORBIDDEN_EVENTS):
        raise PermissionError(f"a parser does not do {event}")


def main() -> None:
    arguments = argparse.ArgumentParser(prog="olx.worker", description=__doc__)
    arguments.add_argument("--memory-bytes", type=int, default=1 << 30)
    arguments.add_argument("--file-bytes", type=int, default=4 << 30)
    arguments.add_argument("--open-files", type=int, default=64)
    given = arguments.parse_args()
    _limit_process(given.memory_bytes, given.file_bytes, given.open_files)
    os.nice(5)
    sys.addaudithook(_forbid)
    _say({"ready": True})
    for line in sys.stdin.buffer:
        try:
            answer = answer_request(line)
        except BadRequest as error:
            answer = {"ok": False, "code": "bad_request", "message": str(error), "report": Report().to_json()}
        _say(answer)
        if answer.get("code") == "too_much_memory":
            # What was taken is not given back for certain: a fresh process starts small.
            return


def _say(answer: Answer) -> None:
    sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
