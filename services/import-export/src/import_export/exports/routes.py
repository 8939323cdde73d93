"""`GET /api/v0/export/{course}`."""

from datetime import UTC, datetime
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from common.identity import Caller, CallerDep, request_base
from common.pages import page_response
from common.resources import Resources
from import_export.courses.models import Standing
from import_export.courses.queries import require_author
from import_export.exports.errors import ExportFailed, ExportForbidden, NothingToExport
from import_export.exports.models import Archive, Choice
from import_export.exports.operations import TOUCHED_ANEW_AFTER, forget_archive, start_export, touch_archive
from import_export.exports.pages import export_page
from import_export.exports.queries import read_archive
from import_export.exports.schemas import read_choice, wanted_form
from import_export.exports.sending import send_archive
from import_export.settings import Settings
from import_export.tasks.models import Job, State
from import_export.tasks.operations import new_job_id
from import_export.tasks.queries import read_job
from import_export.tasks.schemas import TaskStarted, task_url

router = APIRouter()
RETRY_AFTER = "2"
_ANSWERS: dict[int | str, dict[str, object]] = {
    200: {"content": {"application/x-tgz": {}, "text/html": {}}},
    202: {"model": TaskStarted},
    304: {"description": "The caller has this version"},
}


@router.head("/api/v1/exports/{course:path}", include_in_schema=False)
@router.head("/api/v0/export/{course:path}", include_in_schema=False)
@router.get("/api/v1/exports/{course:path}", response_class=Response, responses=_ANSWERS)
@router.get("/api/v0/export/{course:path}", response_class=Response, responses=_ANSWERS)
async def export_course(
    course: str, request: Request, caller: CallerDep, branch: str | None = None, version: str | None = None
) -> Response:
    """A course as an archive: what is published with the drafts beside it, one branch, or any version."""
    form = wanted_form(request)
    choice = read_choice(branch, version)
    resources: Resources = request.state.resources
    standing = await require_author(resources, caller, course)
    if form == "page":
        return page_response(export_page(standing.spelling, user=caller.username))
    # content is asked at every request, so an answer is never stale; a version never changes and need not be asked for
    for _ in range(2):
        archive = await _find_version(resources, standing, choice)
        if archive is None:
            job = await _export(resources, caller, standing, choice)
            if not job.is_done:
                return _come_back(request, job.id)
            archive = await _result(resources, job)
        if archive is not None and (sent := await _send(request, resources, archive)):
            return sent
    raise ExportFailed


async def _find_version(resources: Resources, standing: Standing, choice: Choice) -> Archive | None:
    key = choice.key(standing.course_id, None, None) if choice.version else None
    if key is None:
        return None
    return await read_archive(resources.pool, key)


async def _export(resources: Resources, caller: Caller, standing: Standing, choice: Choice) -> Job:
    """A job that has ended, or still runs when the caller has waited long enough."""
    settings = resources.settings
    if not isinstance(settings, Settings):
        raise TypeError(settings)
    job_id = new_job_id()
    async with resources.sessions.begin() as session:
        started = await start_export(
            session, job_id, caller=caller, standing=standing, choice=choice, now=datetime.now(UTC)
        )

    async def read() -> Job | None:
        job = await read_job(resources.pool, job_id)
        return job if job.is_done else None

    return await resources.facts.eventually(read, timeout=settings.export_wait_seconds) or started


async def _result(resources: Resources, job: Job) -> Archive | None:
    """Raises the refusal that a failed job means."""
    if job.state == State.SUCCEEDED and job.archive_key:
        return await read_archive(resources.pool, job.archive_key)
    code, message = str((job.error or {}).get("code", "")), str((job.error or {}).get("message", "")) or None
    if code.endswith("not_found"):
        raise NothingToExport(message)
    if code == "permission_denied":
        raise ExportForbidden
    raise ExportFailed(message, task_id=str(job.id), reason=code or None)


async def _send(request: Request, resources: Resources, archive: Archive) -> Response | None:
    sent, now = await send_archive(request, resources.blobs, archive), datetime.now(UTC)
    if sent is None or archive.used_at < now - TOUCHED_ANEW_AFTER:
        async with resources.sessions.begin() as session:
            if sent is None:
                await forget_archive(session, archive.key)
            else:
                await touch_archive(session, archive.key, now=now)
    return sent


def _come_back(request: Request, job_id: UUID) -> Response:
    url = task_url(request_base(request), job_id)
    return JSONResponse({"task_id": str(job_id), "url": url}, 202, {"Location": url, "Retry-After": RETRY_AFTER})


@router.post("/api/v1/exports/{course:path}", status_code=202, response_model=TaskStarted)
async def begin_export(
    course: str, request: Request, caller: CallerDep, branch: str | None = None, version: str | None = None
) -> Response:
    """Begin an export without waiting for it; the task tells when the archive can be had."""
    choice = read_choice(branch, version)
    resources: Resources = request.state.resources
    standing = await require_author(resources, caller, course)
    job_id = new_job_id()
    async with resources.sessions.begin() as session:
        await start_export(session, job_id, caller=caller, standing=standing, choice=choice, now=datetime.now(UTC))
    return _come_back(request, job_id)
