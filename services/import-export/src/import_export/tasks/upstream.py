"""`/api/tasks/v0/`: the caller's own tasks in the shape of upstream's task records."""

from datetime import UTC, datetime

from fastapi import APIRouter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from common.identity import Caller, CallerDep, request_base, require_user
from common.pagination import page_count, page_links, parse_page
from common.resources import Resources
from import_export.studio.numbers import completed_steps, error_text, total_steps
from import_export.tasks.errors import TaskNotFound, TaskRuns
from import_export.tasks.litter import note_litter
from import_export.tasks.models import Job, Kind, State
from import_export.tasks.operations import cancel_job
from import_export.tasks.queries import get_job, list_jobs, parse_task_id
from import_export.tasks.schemas import export_url

router = APIRouter()
ROOT = "/api/tasks/v0"
_TEXTS = {
    State.SUCCEEDED.value: "Succeeded",
    State.FAILED.value: "Failed",
    State.CANCELED.value: "Canceled",
    State.PENDING.value: "Pending",
    State.RETRYING.value: "Retrying",
}


def _name(job: Job) -> str:
    """What upstream calls its tasks, and looks them up by."""
    if job.kind == Kind.IMPORT:
        return f"Import of {job.spelling} from {job.filename}"
    return f"{job.kind.capitalize()} of {job.spelling}"


def _status(job: Job, base: str) -> dict[str, object]:
    return {
        "task_id": str(job.id),
        "uuid": str(job.id),
        "name": _name(job),
        "state": job.state,
        "state_text": _TEXTS.get(job.state, job.state),
        "completed_steps": completed_steps(job),
        "total_steps": total_steps(job),
        "attempts": max(1, job.attempts),
        "created": job.created_at.isoformat(),
        "modified": job.updated_at.isoformat(),
        "artifacts": [f"{base}{ROOT}/artifacts/{job.id}/"] if _artifact(job, base) else [],
        "url": f"{base}{ROOT}/tasks/{job.id}/",
    }


def _artifact(job: Job, base: str) -> dict[str, object] | None:
    """A failed task has its Error, a successful export its Output."""
    found: dict[str, object] = {"file": None, "text": "", "url": ""}
    if job.state == State.FAILED:
        found |= {"name": "Error", "text": error_text(job)}
    elif job.kind == Kind.EXPORT and job.state == State.SUCCEEDED:
        found |= {"name": "Output", "url": export_url(base, job)}
    else:
        return None
    return found | {
        "uuid": str(job.id),
        "status": f"{base}{ROOT}/tasks/{job.id}/",
        "created": job.updated_at.isoformat(),
        "modified": job.updated_at.isoformat(),
    }


async def _own(session: AsyncSession, caller: Caller, task_id: str, *, lock: bool = False) -> Job:
    """Upstream shows each user their own tasks. Raises `TaskNotFound`."""
    job = await get_job(session, parse_task_id(task_id), lock=lock)
    if caller.user_id is None or job.requester_id != caller.user_id:
        raise TaskNotFound
    return job


@router.get(f"{ROOT}/tasks/")
async def list_task_records(request: Request, caller: CallerDep) -> JSONResponse:
    """The caller's tasks, newest first, page by page."""
    require_user(caller)
    resources: Resources = request.state.resources
    query = request.query_params
    wanted = parse_page(query.get("page"), query.get("page_size"), default=10, maximum=100)
    mine = caller.user_id if caller.user_id is not None else -1
    async with resources.sessions() as session:
        jobs, count = await list_jobs(session, requester_id=mine, offset=wanted.offset, limit=wanted.size)
    base = request_base(request)
    pages = page_count(count, wanted.size)
    following, previous = page_links(f"{base}{ROOT}/tasks/", request.url.query, wanted.number, pages)
    return JSONResponse(
        {"count": count, "next": following, "previous": previous, "results": [_status(job, base) for job in jobs]}
    )


@router.get(f"{ROOT}/tasks/{{task_id}}/")
async def get_task_record(task_id: str, request: Request, caller: CallerDep) -> JSONResponse:
    """One of the caller's tasks."""
    require_user(caller)
    async with request.state.resources.sessions() as session:
        job = await _own(session, caller, task_id)
    return JSONResponse(_status(job, request_base(request)))


@router.post(f"{ROOT}/tasks/{{task_id}}/cancel/")
async def cancel_task_record(task_id: str, request: Request, caller: CallerDep) -> JSONResponse:
    """Stop it; refused once content has the command to import."""
    require_user(caller)
    async with request.state.resources.sessions.begin() as session:
        await _own(session, caller, task_id, lock=True)
        job = await cancel_job(session, parse_task_id(task_id), now=datetime.now(UTC))
    return JSONResponse(_status(job, request_base(request)))


@router.delete(f"{ROOT}/tasks/{{task_id}}/", status_code=204)
async def delete_task_record(task_id: str, request: Request, caller: CallerDep) -> Response:
    """Forget a task that has ended."""
    require_user(caller)
    async with request.state.resources.sessions.begin() as session:
        job = await _own(session, caller, task_id, lock=True)
        if not job.is_done:
            raise TaskRuns
        snapshot = job.snapshot
        await session.delete(job)
        await note_litter(session, [snapshot] if snapshot else [])
    return Response(status_code=204)


@router.get(f"{ROOT}/artifacts/{{task_id}}/")
async def get_artifact(task_id: str, request: Request, caller: CallerDep) -> JSONResponse:
    """What a task has left: the text of its failure, or where its output is."""
    require_user(caller)
    async with request.state.resources.sessions() as session:
        job = await _own(session, caller, task_id)
    artifact = _artifact(job, request_base(request))
    if artifact is None:
        raise TaskNotFound
    return JSONResponse(artifact)
