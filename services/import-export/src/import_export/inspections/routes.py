"""`/api/courses/v1/validation/{course}/` and `/api/courses/v1/quality/{course}/`."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse

from common.identity import Caller, CallerDep
from common.resources import Resources
from import_export.courses.errors import CourseNotFound, NotAnAuthor
from import_export.courses.queries import require_author
from import_export.inspections.errors import NoAnswerYet
from import_export.inspections.operations import start_inspection
from import_export.inspections.queries import find_inspection
from import_export.settings import Settings
from import_export.tasks.models import Job, Json, State
from import_export.tasks.operations import new_job_id
from import_export.tasks.queries import read_job

router = APIRouter()
_TRUE = frozenset({"true", "1", "yes", "on"})
_VALIDATION = ("dates", "assignments", "grades", "certificates", "updates", "proctoring")
_QUALITY = ("sections", "subsections", "units", "videos")
_ORA = "assignments_with_ora_dates_"


@router.get("/api/courses/v1/validation/{course:path}/")
async def get_course_validation(course: str, request: Request, caller: CallerDep) -> JSONResponse:
    """What is set and what is missing before the course opens, of its draft.

    Parts by name (`dates`, `assignments`, `grades`, `certificates`, `updates`, `proctoring`) or `all`; `graded_only`
    looks at graded assignments alone, `validate_oras` also at the dates inside open responses.
    """
    found = await _findings(course, request, caller)
    answer: dict[str, object] = {"is_self_paced": found["is_self_paced"]}
    for part in _asked(request, _VALIDATION):
        answer[part] = found[part]
    if "assignments" in answer:
        which = "graded_only" if _flag(request, "graded_only") else "all"
        figures = cast("Mapping[str, Mapping[str, object]]", answer["assignments"])[which]
        oras = _flag(request, "validate_oras")
        answer["assignments"] = {
            name: [] if name.startswith(_ORA) and not oras else value for name, value in figures.items()
        }
    return JSONResponse(answer)


@router.get("/api/courses/v1/quality/{course:path}/")
async def get_course_quality(course: str, request: Request, caller: CallerDep) -> JSONResponse:
    """How a course is made up, of its draft.

    Parts by name (`sections`, `subsections`, `units`, `videos`) or `all`; `exclude_graded` leaves graded parts out.
    """
    found = await _findings(course, request, caller)
    answer: dict[str, object] = {"is_self_paced": found["is_self_paced"]}
    which = "exclude_graded" if _flag(request, "exclude_graded") else "all"
    for part in _asked(request, _QUALITY):
        figures = cast("Mapping[str, object]", found[part])
        answer[part] = figures[which] if part in ("subsections", "units") else figures
    return JSONResponse(answer)


def _flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() in _TRUE


def _asked(request: Request, parts: Sequence[str]) -> list[str]:
    return [part for part in parts if _flag(request, "all") or _flag(request, part)]


async def _findings(course: str, request: Request, caller: Caller) -> Json:
    resources: Resources = request.state.resources
    settings = resources.settings
    if not isinstance(settings, Settings):
        raise TypeError(settings)
    standing = await require_author(resources, caller, course)
    job_id = new_job_id()
    async with resources.sessions.begin() as session:
        await start_inspection(session, job_id, caller=caller, standing=standing, now=datetime.now(UTC))

    async def read() -> Job | None:
        job = await read_job(resources.pool, job_id)
        return job if job.is_done else None

    job = await resources.facts.eventually(read, timeout=settings.export_wait_seconds)
    if job is not None and job.state == State.FAILED:
        _refuse(str((job.error or {}).get("code", "")))
    if job is None or job.state != State.SUCCEEDED:
        raise NoAnswerYet(headers={"Retry-After": "2"})
    async with resources.sessions() as session:
        inspection = await find_inspection(session, standing.course_id)
    if inspection is None:
        raise NoAnswerYet(headers={"Retry-After": "2"})
    return inspection.findings


def _refuse(code: str) -> None:
    if code == "permission_denied":
        raise NotAnAuthor
    if code.endswith("not_found"):
        raise CourseNotFound
