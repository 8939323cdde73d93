"""`/api/v0/import/{course}`, and the same under upstream's path."""

from datetime import UTC, datetime

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from common import idempotency
from common.blobs import exists, put_file
from common.identity import Caller, CallerDep, request_base
from common.messaging import crash
from common.resources import Resources
from import_export.courses.models import Standing
from import_export.courses.queries import require_author
from import_export.imports.errors import MissingParameter
from import_export.imports.operations import start_import
from import_export.imports.queries import find_same_archive
from import_export.settings import Settings
from import_export.tasks.errors import TaskNotFound
from import_export.tasks.models import Kind, State
from import_export.tasks.operations import new_job_id
from import_export.tasks.queries import get_job, parse_task_id
from import_export.tasks.schemas import TaskStarted, task_url
from import_export.uploads.operations import Upload, receive_upload
from import_export.uploads.schemas import OPTION_NAMES, ImportRequest, read_import_request

router = APIRouter()
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-tgz": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"course_data": {"type": "string", "format": "binary"}},
                    "required": ["course_data"],
                }
            },
        },
    }
}


@router.api_route(
    "/api/v0/import/{course:path}",
    methods=["POST", "PUT"],
    status_code=202,
    response_model=TaskStarted,
    openapi_extra=_BODY,
)
async def import_course(course: str, request: Request, caller: CallerDep) -> Response:
    """Replace a course by an archive, whole or not at all; the course is created where the caller may."""
    body = await _begin(course, request, caller)
    return Response(body, 202, {"Location": orjson.loads(body)["url"]}, media_type="application/json")


@router.post("/api/courses/v0/import/{course:path}/", openapi_extra=_BODY)
async def import_course_as_upstream(course: str, request: Request, caller: CallerDep) -> Response:
    """Upstream's import API: the same task, answered 200."""
    return JSONResponse({"task_id": orjson.loads(await _begin(course, request, caller))["task_id"]})


@router.get("/api/courses/v0/import/{course:path}/")
async def get_import_state(
    course: str, request: Request, caller: CallerDep, task_id: str = "", filename: str = ""
) -> JSONResponse:
    """The state of the import of that file into that course."""
    resources: Resources = request.state.resources
    standing = await require_author(resources, caller, course, may_create=True)
    if not task_id or not filename:
        raise MissingParameter
    async with resources.sessions() as session:
        job = await get_job(session, parse_task_id(task_id))
    if (job.kind, job.course_id, job.filename) != (Kind.IMPORT, standing.course_id, filename):
        raise TaskNotFound
    failure = {"error": job.error} if job.state == State.FAILED else {}
    return JSONResponse({"state": job.state, **failure})


async def _begin(course: str, request: Request, caller: Caller) -> bytes:
    """Authorize first, read the body then: a caller without rights uploads nothing."""
    resources: Resources = request.state.resources
    settings = resources.settings
    if not isinstance(settings, Settings):
        raise TypeError(settings)
    standing = await require_author(resources, caller, course, may_create=True)
    read_import_request(request.query_params)
    async with receive_upload(request, settings, form_names=OPTION_NAMES) as upload:
        asked = read_import_request(upload.fields, request.query_params)
        return await _store(request, resources, caller, standing, upload, asked)


async def _store(
    request: Request,
    resources: Resources,
    caller: Caller,
    standing: Standing,
    upload: Upload,
    asked: ImportRequest,
) -> bytes:
    """The upload first, then the job: a job never waits for bytes that may not come. Known bytes are not kept again."""
    job_id = new_job_id()
    body = orjson.dumps({"task_id": str(job_id), "url": task_url(request_base(request), job_id)})
    key = request.headers.get(idempotency.HEADER)
    upload_key = f"uploads/{job_id}"
    async with resources.sessions() as session:
        earlier = await find_same_archive(
            session, digest=upload.digest, course_id=standing.course_id, links=asked.links
        )
    if earlier is None or not await exists(resources.blobs, str(earlier.snapshot)):
        earlier = None
        await put_file(resources.blobs, upload_key, upload.path)
    first: bytes | None = None
    try:
        async with resources.sessions.begin() as session:
            if key is not None:
                who = caller.username or ""
                parts = (standing.course_id, upload.digest, asked.model_dump_json())
                mark = idempotency.fingerprint("import", "/api/v0/import", "\0".join(parts).encode())
                stored = await idempotency.claim(session, caller=who, key=key, fingerprint=mark)
                first = stored.body if stored else None
                if first is None:
                    await idempotency.store(session, caller=who, key=key, status=202, body=body)
            if first is None:
                await start_import(
                    session,
                    job_id,
                    caller=caller,
                    standing=standing,
                    upload=upload,
                    asked=asked,
                    earlier=earlier,
                    now=datetime.now(UTC),
                )
    except BaseException:
        await resources.blobs.delete(upload_key)
        raise
    crash.point("api.after_commit")
    if first is not None:
        await resources.blobs.delete(upload_key)
        return first
    return body
