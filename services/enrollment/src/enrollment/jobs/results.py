"""Result files: kept as a JSON object on each line, given as CSV or JSON."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Final

import orjson

from common.blobs import BlobStore
from enrollment.jobs.models import Format, Job, Kind

# spreadsheets take a cell that begins so for a formula
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")

_READ: Final = {
    Kind.PROGRAM_ENROLLMENTS: ("student_key", "status", "account_exists", "username", "email", "curriculum_uuid"),
    Kind.COURSE_ENROLLMENTS: ("course_id", "student_key", "status", "account_exists", "course_staff"),
    Kind.ENROLLMENTS: ("username", "email", "course_id", "mode", "is_active", "created"),
}
_WRITE: Final = {
    Kind.PROGRAM_ENROLLMENTS: ("student_key", "status"),
    Kind.COURSE_ENROLLMENTS: ("course_id", "student_key", "status", "course_staff"),
    Kind.ENROLLMENTS: ("username", "email", "course_id", "outcome", "code", "message"),
    Kind.UNDO: ("course_id", "student_key", "username", "email", "outcome"),
}


def columns_of(job: Job) -> Sequence[str]:
    return _READ[job.kind] if job.direction == "read" else _WRITE[job.kind]


def cell(value: object) -> str:
    """A value as CSV has it: nothing that a spreadsheet would carry out."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value)
    text = str(value).replace("\x00", "\ufffd")
    return f"'{text}" if text.startswith(_FORMULA) else text


async def _lines(blobs: BlobStore, key: str) -> AsyncIterator[list[bytes]]:
    """Whole lines, as many as a piece of the blob has."""
    held = b""
    async for chunk in blobs.stream(key):
        *whole, held = (held + chunk).split(b"\n")
        yield [line for line in whole if line]
    if held:
        yield [held]


async def stream_result(blobs: BlobStore, job: Job, format_: Format) -> AsyncIterator[bytes]:
    """The result's bytes, never more of it in memory than one piece."""
    if job.result is None:
        return
    columns = columns_of(job)
    if format_ is Format.CSV:
        yield _csv([columns])
        async for lines in _lines(blobs, job.result):
            records = [orjson.loads(line) for line in lines]
            yield _csv([[cell(record.get(name)) for name in columns] for record in records])
        return
    between = b"["
    async for lines in _lines(blobs, job.result):
        if lines:
            yield between + b",".join(lines)
            between = b","
    yield b"]" if between == b"," else b"[]"


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()
