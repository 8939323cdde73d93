"""`/api/v0/import/{course}`, the same under `/api/v1/imports`, and under upstream's path."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from common.app import raw_path
from common.identity import CallerDep
from common.resources import Resources
from import_export.courses.errors import CourseNotFound
from import_export.courses.queries import require_author
from import_export.imports.beginning import Begun, Partly, begin_import, open_beginning
from import_export.imports.errors import MissingParameter, UpstreamMissingFile, UpstreamWrongFormat
from import_export.tasks.errors import TaskNotFound
from import_export.tasks.models import Kind, State
from import_export.tasks.queries import get_job, parse_task_id
from import_export.tasks.schemas import TaskStarted
from import_export.uploads.errors import MissingFile, WrongFormat
from import_export.uploads.schemas import files_answer

router = APIRouter()
BODY = {
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
    "/api/v1/imports/round_trip/{course:path}",
    methods=["POST", "PUT"],
    status_code=202,
    response_model=TaskStarted,
    openapi_extra=BODY,
)
async def try_round_trip(course: str, request: Request, caller: CallerDep) -> Response:
    """What would differ in a course after import, export and import again? Nothing is imported; the report tells."""
    beginning = await open_beginning(course, request, caller, fixed={"round_trip": "true"})
    return _answer(request, await beginning.carry_out())


@router.api_route(
    "/api/v1/imports/{course:path}",
    methods=["POST", "PUT"],
    status_code=202,
    response_model=TaskStarted,
    openapi_extra=BODY,
)
@router.api_route(
    "/api/v0/import/{course:path}",
    methods=["POST", "PUT"],
    status_code=202,
    response_model=TaskStarted,
    openapi_extra=BODY,
)
async def import_course(course: str, request: Request, caller: CallerDep) -> Response:
    """Replace a course by an archive, whole or not at all; the course is created where the caller may."""
    return _answer(request, await begin_import(course, request, caller))


def _answer(request: Request, came: Begun | Partly) -> Response:
    if isinstance(came, Begun):
        return Response(came.body, 202, {"Location": came.url}, media_type="application/json")
    return partly(request, came)


def _no_library(course: str) -> None:
    """Upstream's address takes courses alone. Raises `CourseNotFound`."""
    if course.startswith("library-v1:"):
        raise CourseNotFound


@router.post("/api/courses/v0/import/{course:path}/", openapi_extra=BODY)
async def import_course_as_upstream(course: str, request: Request, caller: CallerDep) -> Response:
    """Upstream's import API: the same task, answered 200."""
    _no_library(course)
    try:
        came = await begin_import(course, request, caller)
    except MissingFile as refusal:
        raise UpstreamMissingFile from refusal
    except WrongFormat as refusal:
        raise UpstreamWrongFormat from refusal
    if isinstance(came, Begun):
        return JSONResponse({"task_id": str(came.task_id)})
    return partly(request, came)


def partly(request: Request, came: Partly) -> Response:
    """What upstream says to a part that is not the last."""
    return JSONResponse(files_answer(came.filename, came.received, raw_path(request)))


@router.get("/api/courses/v0/import/{course:path}/")
async def get_import_state(
    course: str, request: Request, caller: CallerDep, task_id: str = "", filename: str = ""
) -> JSONResponse:
    """The state of the import of that file into that course."""
    _no_library(course)
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
