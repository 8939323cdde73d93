"""`/api/enrollment_jobs/v1/`: files of any length in, files out; for global staff."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
import orjson
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from common import idempotency
from common.blobs import put_file
from common.database import WriteSession, raw
from common.identity import caller_of, request_base, require_staff
from common.keys import CourseKey, InvalidKey
from common.messaging.outbox import new_id
from common.resources import Resources
from enrollment.jobs import operations, queries
from enrollment.jobs.errors import (
    BadOption,
    CourseNotFound,
    CourseNotInProgram,
    JobInProgress,
    JobNotFound,
    ProgramNotFound,
    ResultNotReady,
)
from enrollment.jobs.models import Format, Job, Kind
from enrollment.jobs.operations import NewJob
from enrollment.jobs.results import stream_result
from enrollment.jobs.rows import Reader
from enrollment.jobs.schemas import JobOut, JobPage, read_flag, read_format, read_options, show_job
from enrollment.jobs.uploads import Upload, receive
from enrollment.programs.queries import Run, find_program, find_run
from enrollment.settings import Settings

router = APIRouter(prefix="/api/enrollment_jobs/v1", tags=["enrollment jobs"])

_PAGE: Final = 100
_FILE: Final[dict[str, object]] = {
    "requestBody": {
        "required": True,
        "description": "The file: CSV with a header, a JSON array, or a JSON object on each line.",
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "array", "items": {"type": "object"}}},
            "application/x-ndjson": {"schema": {"type": "string"}},
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
            },
        },
    },
    "parameters": [
        {"name": name, "in": "query", "description": meaning, "schema": {"type": kind}}
        for name, meaning, kind in (
            ("dry_run", "Say what would become of each row, write nothing.", "boolean"),
            ("max_drops", "Stop before the first row if more than this many would be dropped.", "integer"),
            ("max_drop_percent", "The same, as a share of those there are.", "number"),
        )
    ],
}


def _resources(request: Request) -> Resources:
    resources: Resources = request.state.resources
    return resources


def _staff(request: Request) -> str:
    """The caller's name. Raises 401, 403."""
    return require_staff(caller_of(request)).username or ""


async def _program(request: Request, text: str) -> UUID:
    try:
        uuid = UUID(text)
    except ValueError as error:
        raise ProgramNotFound from error
    resources = _resources(request)
    if await resources.facts.eventually(lambda: find_program(resources.pool, uuid)) is None:
        raise ProgramNotFound
    return uuid


async def _run(request: Request, program_uuid: UUID, text: str, *, member: bool) -> Run:
    try:
        key = CourseKey.parse(text).canonical
    except InvalidKey as error:
        raise CourseNotFound from error
    resources = _resources(request)
    found = await resources.facts.eventually(lambda: find_run(resources.pool, program_uuid, key))
    if found is None:
        raise CourseNotFound
    if member and not found.is_member:
        raise CourseNotInProgram
    return found


_NO_PROGRAM: Final = UUID(int=0)


@router.post("/programs/{program_uuid}/enrollments", status_code=202, response_model=JobOut, openapi_extra=_FILE)
async def put_program_enrollments(request: Request, program_uuid: str, session: WriteSession) -> Response:
    """Columns `student_key,status[,curriculum_uuid]`: each key is enrolled or changed."""
    owner = _staff(request)
    uuid = await _program(request, program_uuid)
    new = NewJob(Kind.PROGRAM_ENROLLMENTS, f"program:{uuid}", owner, Format.CSV, program_uuid=uuid)
    return await _receive(request, session, new, Reader(Kind.PROGRAM_ENROLLMENTS))


@router.post("/programs/{program_uuid}/course_enrollments", status_code=202, response_model=JobOut, openapi_extra=_FILE)
async def put_course_enrollments(request: Request, program_uuid: str, session: WriteSession) -> Response:
    """Columns `student_key,course_id,status[,course_staff]`; a course by its id or by its external key."""
    owner = _staff(request)
    uuid = await _program(request, program_uuid)
    new = NewJob(Kind.COURSE_ENROLLMENTS, f"program:{uuid}", owner, Format.CSV, program_uuid=uuid)
    return await _receive(request, session, new, Reader(Kind.COURSE_ENROLLMENTS))


@router.post("/enrollments", status_code=202, response_model=JobOut, openapi_extra=_FILE)
async def put_enrollments(request: Request, session: WriteSession) -> Response:
    """Columns `username` or `email`, `course_id[,mode,is_active,cohort]`: the rules of enrollment by command."""
    owner = _staff(request)
    new = NewJob(Kind.ENROLLMENTS, f"caller:{owner}", owner, Format.CSV)
    return await _receive(request, session, new, Reader(Kind.ENROLLMENTS))


@router.post("/courses/{course_id:path}/enrollments", status_code=202, response_model=JobOut, openapi_extra=_FILE)
async def put_enrollments_of_course(request: Request, course_id: str, session: WriteSession) -> Response:
    """The same for one course: columns `username` or `email` `[,mode,is_active,cohort]`."""
    owner = _staff(request)
    run = await _run(request, _NO_PROGRAM, course_id, member=False)
    new = NewJob(Kind.ENROLLMENTS, f"course:{run.key}", owner, Format.CSV, course_n=run.n)
    return await _receive(request, session, new, Reader(Kind.ENROLLMENTS, course_id=run.spelling))


async def _receive(request: Request, session: WriteSession, new: NewJob, reader: Reader) -> Response:
    """Read the file once for defects, keep it, and make the job; nothing is kept of a file that is refused."""
    resources = _resources(request)
    options, dry_run = read_options(request.query_params), read_flag(request.query_params, "dry_run")
    settings = resources.settings
    limit = settings.job_upload_bytes if isinstance(settings, Settings) else 0
    async with receive(request, limit=limit) as upload:
        await _check(reader, upload)
        connection = await raw(session)
        if stored := await _claimed(request, session, new.owner, upload.digest):
            return stored
        if other := await queries.find_job_in_scope(connection, new.scope):
            # spares the copy; the index has the last word
            raise JobInProgress(job_id=str(other.id))
        job_id = new_id()
        key = f"enrollmentjobs/{job_id}/upload"
        await put_file(resources.blobs, key, upload.path)
        try:
            made = _with(new, upload, key, options=options, dry_run=dry_run, id=job_id)
            job = await operations.create_job(connection, made)
        except JobInProgress:
            await resources.blobs.delete(key)
            raise
    return await _accepted(request, session, job)


def _with(new: NewJob, upload: Upload, key: str, **more: object) -> NewJob:
    values = {name: getattr(new, name) for name in NewJob.__dataclass_fields__}
    return NewJob(**{**values, "format": upload.format, "upload": key, **more})


async def _check(reader: Reader, upload: Upload) -> None:
    def read() -> None:
        for _ in reader.rows(upload.path, upload.format):
            pass

    await asyncio.to_thread(read)


async def _claimed(request: Request, session: WriteSession, owner: str, digest: str) -> Response | None:
    key = request.headers.get(idempotency.HEADER)
    if key is None:
        return None
    path = f"{request.url.path}?{request.url.query}"
    mark = idempotency.fingerprint(request.method, path, digest.encode())
    stored = await idempotency.claim(session, caller=owner, key=key, fingerprint=mark)
    if stored is None:
        return None
    return Response(stored.body, stored.status, media_type="application/json")


async def _accepted(request: Request, session: WriteSession, job: Job) -> Response:
    shown = show_job(job, request_base(request))
    key = request.headers.get(idempotency.HEADER)
    if key is not None:
        await idempotency.store(session, caller=job.owner, key=key, status=202, body=shown)
    headers = {"Location": str(shown["job_url"])}
    return Response(orjson.dumps(shown), 202, headers, media_type="application/json")


async def _export(request: Request, session: WriteSession, new: NewJob) -> Response:
    job = await operations.create_job(await raw(session), new)
    return await _accepted(request, session, job)


@router.get("/programs/{program_uuid}/enrollments", status_code=202, response_model=JobOut)
async def export_program_enrollments(
    request: Request, program_uuid: str, session: WriteSession, fmt: Annotated[str | None, Query()] = None
) -> Response:
    """Make a file of all keys of the program."""
    owner = _staff(request)
    uuid = await _program(request, program_uuid)
    format_ = read_format(fmt, Format.JSON)
    new = NewJob(Kind.PROGRAM_ENROLLMENTS, f"program:{uuid}", owner, format_, writes=False, program_uuid=uuid)
    return await _export(request, session, new)


@router.get("/programs/{program_uuid}/course_enrollments", status_code=202, response_model=JobOut)
async def export_course_enrollments(
    request: Request, program_uuid: str, session: WriteSession, fmt: Annotated[str | None, Query()] = None
) -> Response:
    """Make a file of all keys in all courses of the program."""
    owner = _staff(request)
    uuid = await _program(request, program_uuid)
    format_ = read_format(fmt, Format.JSON)
    new = NewJob(Kind.COURSE_ENROLLMENTS, f"program:{uuid}", owner, format_, writes=False, program_uuid=uuid)
    return await _export(request, session, new)


@router.get("/programs/{program_uuid}/courses/{course_id:path}/enrollments", status_code=202, response_model=JobOut)
async def export_one_course(
    request: Request,
    program_uuid: str,
    course_id: str,
    session: WriteSession,
    fmt: Annotated[str | None, Query()] = None,
) -> Response:
    """Make a file of all keys of the program in one of its courses."""
    owner = _staff(request)
    uuid = await _program(request, program_uuid)
    run = await _run(request, uuid, course_id, member=True)
    format_ = read_format(fmt, Format.JSON)
    scope = f"program:{uuid}"
    new = NewJob(Kind.COURSE_ENROLLMENTS, scope, owner, format_, writes=False, program_uuid=uuid, course_n=run.n)
    return await _export(request, session, new)


@router.get("/courses/{course_id:path}/enrollments", status_code=202, response_model=JobOut)
async def export_enrollments(
    request: Request, course_id: str, session: WriteSession, fmt: Annotated[str | None, Query()] = None
) -> Response:
    """Make a file of all enrollments of a course."""
    owner = _staff(request)
    run = await _run(request, _NO_PROGRAM, course_id, member=False)
    format_ = read_format(fmt, Format.JSON)
    new = NewJob(Kind.ENROLLMENTS, f"course:{run.key}", owner, format_, writes=False, course_n=run.n)
    return await _export(request, session, new)


@router.get("/jobs", response_model=JobPage)
async def list_jobs(
    request: Request,
    owner: Annotated[str | None, Query(description="Whose; the caller's when left out, `*` for all.")] = None,
    state: Annotated[str | None, Query(description="`all` for ended ones too.")] = None,
    cursor: Annotated[str | None, Query()] = None,
) -> Response:
    """The caller's jobs that have not ended, newest first."""
    caller = _staff(request)
    who = None if owner == "*" else (owner or caller).replace("\x00", "\ufffd")
    if state not in (None, "", "all", "open"):
        raise BadOption("state is open or all.")
    before = _place(cursor) if cursor else None
    found = await queries.list_jobs(
        _resources(request).pool, owner=who, everything=state == "all", before=before, size=_PAGE + 1
    )
    base = request_base(request)
    following = None
    if len(found) > _PAGE:
        last = found[_PAGE - 1]
        query = {name: value for name, value in (("owner", owner), ("state", state)) if value}
        following = f"{base}/api/enrollment_jobs/v1/jobs?{urlencode({'cursor': _mark(last), **query})}"
    body = {"next": following, "results": [show_job(job, base) for job in found[:_PAGE]]}
    return Response(orjson.dumps(body), media_type="application/json")


def _mark(job: Job) -> str:
    return f"{int(job.created.timestamp() * 1_000_000)}.{job.id}"


def _place(text: str) -> queries.Place:
    match = re.fullmatch(r"([0-9]{1,17})\.([0-9a-f-]{36})", text)
    if not match:
        raise BadOption("This is no cursor.")
    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(match[1]))
        return queries.Place(moment, UUID(match[2]))
    except (ValueError, OverflowError) as error:
        raise BadOption("This is no cursor.") from error


def _job_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise JobNotFound from error


async def _job(pool: asyncpg.Pool, text: str) -> Job:
    found = await queries.find_job(pool, _job_id(text))
    if found is None:
        raise JobNotFound
    return found


@router.get("/jobs/{job_id}", response_model=JobOut)
async def get_job(request: Request, job_id: str) -> Response:
    """State, progress, and where the result is."""
    _staff(request)
    shown = show_job(await _job(_resources(request).pool, job_id), request_base(request))
    return Response(orjson.dumps(shown), media_type="application/json")


@router.get("/jobs/{job_id}/result")
async def get_result(request: Request, job_id: str, fmt: Annotated[str | None, Query()] = None) -> Response:
    """A line for each row of the file, in its order; in the format of the file, or in `fmt`."""
    _staff(request)
    resources = _resources(request)
    job = await _job(resources.pool, job_id)
    if job.result is None:
        raise ResultNotReady
    format_ = read_format(fmt, job.format)
    media = "text/csv; charset=utf-8" if format_ is Format.CSV else "application/json"
    headers = {
        "Content-Disposition": f'attachment; filename="{job.kind}-{job.id}.{format_}"',
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(stream_result(resources.blobs, job, format_), 200, headers, media)


@router.post("/jobs/{job_id}/cancel", status_code=202, response_model=JobOut)
async def cancel_job(request: Request, job_id: str, session: WriteSession) -> Response:
    """Stop after the piece that is being written; what was written stays, and can be undone."""
    _staff(request)
    job = await operations.cancel_job(await raw(session), _job_id(job_id))
    return Response(orjson.dumps(show_job(job, request_base(request))), 202, media_type="application/json")


@router.post("/jobs/{job_id}/undo", status_code=202, response_model=JobOut)
async def undo_job(request: Request, job_id: str, session: WriteSession) -> Response:
    """Take back what an ended job wrote, except where somebody has changed it since; a job of its own."""
    owner = _staff(request)
    number, dry_run = _job_id(job_id), read_flag(request.query_params, "dry_run")
    if stored := await _claimed(request, session, owner, ""):
        return stored
    job = await operations.undo_job(await raw(session), number, owner=owner, dry_run=dry_run)
    return await _accepted(request, session, job)
