"""`/api/v0/tasks`: watch and cancel imports and exports."""

from datetime import UTC, datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.identity import CallerDep, request_base, require_user
from common.pages import page_response, prefers_html
from common.pagination import page_count, page_links, parse_page
from common.resources import Resources
from import_export.courses.queries import require_author
from import_export.tasks.operations import cancel_job
from import_export.tasks.pages import task_page
from import_export.tasks.queries import get_visible_job, list_jobs
from import_export.tasks.schemas import TaskOut, TaskPage, task_out

router = APIRouter()


@router.get("/api/v0/tasks", response_model=TaskPage)
async def list_tasks(
    request: Request,
    caller: CallerDep,
    course_id: str | None = None,
    page: str | None = None,
    page_size: str | None = None,
) -> TaskPage:
    """Tasks of one course its authors may see, or of the caller; global staff see all. Newest first."""
    require_user(caller)
    resources: Resources = request.state.resources
    wanted = parse_page(page, page_size, default=20, maximum=100)
    course = (await require_author(resources, caller, course_id)).course_id if course_id else None
    mine = None if course or caller.is_staff else (caller.user_id if caller.user_id is not None else -1)
    async with resources.sessions() as session:
        jobs, count = await list_jobs(
            session, course_id=course, requester_id=mine, offset=wanted.offset, limit=wanted.size
        )
    base = request_base(request)
    pages = page_count(count, wanted.size)
    following, previous = page_links(f"{base}/api/v0/tasks", request.url.query, wanted.number, pages)
    return TaskPage(
        count=count,
        num_pages=pages,
        next=following,
        previous=previous,
        results=[task_out(job, base) for job in jobs],
    )


@router.get("/api/v0/tasks/{task_id}", response_model=TaskOut)
async def get_task(task_id: str, request: Request, caller: CallerDep) -> TaskOut | Response:
    """Where an import or export stands."""
    html = prefers_html(request)
    job = await get_visible_job(request.state.resources, caller, task_id)
    task = task_out(job, request_base(request))
    return page_response(task_page(task, user=caller.username)) if html else task


@router.post("/api/v0/tasks/{task_id}/cancel", response_model=TaskOut)
async def cancel_task(task_id: str, request: Request, caller: CallerDep) -> TaskOut:
    """Stop a task; refused once content has the command to import."""
    resources: Resources = request.state.resources
    found = await get_visible_job(resources, caller, task_id)
    async with resources.sessions.begin() as session:
        job = await cancel_job(session, found.id, now=datetime.now(UTC))
    await resources.blobs.delete(job.upload_key)
    return task_out(job, request_base(request))
