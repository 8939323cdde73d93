"""`/api/v0/tasks`, and the same under `/api/v1/imports` and `/api/v1/exports`: watch and cancel."""

from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.identity import Caller, CallerDep, request_base, require_user
from common.pages import page_response, prefers_html
from common.pagination import InvalidPage, page_count, page_links, parse_page
from common.resources import Resources
from import_export.courses.queries import require_author
from import_export.tasks.errors import TaskNotFound
from import_export.tasks.models import Job, Kind
from import_export.tasks.operations import cancel_job
from import_export.tasks.pages import task_page
from import_export.tasks.queries import get_visible_job, list_jobs
from import_export.tasks.schemas import TaskOut, TaskPage, read_filters, task_out, tasks_csv

router = APIRouter()
# Both slash forms are spelled out where a course's key, which may hold slashes, would take the last one for its own.
CSV = "text/csv"
_CSV_TOO: dict[int | str, dict[str, object]] = {200: {"content": {CSV: {}}}}


@router.get("/api/v0/tasks", response_model=TaskPage, responses=_CSV_TOO)
async def list_tasks(request: Request, caller: CallerDep) -> TaskPage | Response:
    """Tasks of one course its authors may see (`course_id`), or of the caller; global staff see all. Newest first.

    Narrowed by `kind`, `state`, `requested_by`, `source_sha`, `archive_digest`, `created_after`, `created_before`;
    `?format=csv` or `Accept: text/csv` gives the page as a table.
    """
    return await _list(request, caller, None)


@router.get("/api/v1/imports/", response_model=TaskPage, include_in_schema=False)
@router.get("/api/v1/imports", response_model=TaskPage, responses=_CSV_TOO)
async def list_imports(request: Request, caller: CallerDep) -> TaskPage | Response:
    """Imports, as `/api/v0/tasks` lists them."""
    return await _list(request, caller, Kind.IMPORT)


@router.get("/api/v1/exports/", response_model=TaskPage, include_in_schema=False)
@router.get("/api/v1/exports", response_model=TaskPage, responses=_CSV_TOO)
async def list_exports(request: Request, caller: CallerDep) -> TaskPage | Response:
    """Exports, as `/api/v0/tasks` lists them."""
    return await _list(request, caller, Kind.EXPORT)


async def _list(request: Request, caller: Caller, kind: Kind | None) -> TaskPage | Response:
    require_user(caller)
    query = request.query_params
    resources: Resources = request.state.resources
    wanted = parse_page(query.get("page"), query.get("page_size"), default=20, maximum=100)
    filters = read_filters(dict(query) | ({"kind": kind.value} if kind else {}))
    # a `+` that nobody escaped has become a space, which no key holds
    asked = query.get("course_id", "").replace(" ", "+")
    course = (await require_author(resources, caller, asked)).course_id if asked else None
    mine = None if course or caller.is_staff else (caller.user_id if caller.user_id is not None else -1)
    async with resources.sessions() as session:
        jobs, count = await list_jobs(
            session, course_id=course, requester_id=mine, filters=filters, offset=wanted.offset, limit=wanted.size
        )
    base = request_base(request)
    pages = page_count(count, wanted.size)
    if wanted.number > pages:
        raise InvalidPage
    url = base + urlsplit(str(request.url)).path
    following, previous = page_links(url, request.url.query, wanted.number, pages)
    tasks = [task_out(job, base) for job in jobs]
    if query.get("format") == "csv" or request.headers.get("accept", "").split(";")[0].strip().lower() == CSV:
        headers = {"Content-Disposition": 'attachment; filename="tasks.csv"', "Vary": "Accept"}
        return Response(tasks_csv(tasks), headers=headers, media_type=f"{CSV}; charset=utf-8")
    return TaskPage(count=count, num_pages=pages, next=following, previous=previous, results=tasks)


async def _get(request: Request, caller: Caller, task_id: str, kind: Kind | None) -> Job:
    job = await get_visible_job(request.state.resources, caller, task_id)
    if kind is not None and job.kind != kind:
        raise TaskNotFound
    return job


async def _show(request: Request, caller: Caller, task_id: str, kind: Kind | None) -> TaskOut | Response:
    html = prefers_html(request)
    task = task_out(await _get(request, caller, task_id, kind), request_base(request))
    return page_response(task_page(task, user=caller.username)) if html else task


async def _cancel(request: Request, caller: Caller, task_id: str, kind: Kind | None) -> TaskOut:
    found = await _get(request, caller, task_id, kind)
    async with request.state.resources.sessions.begin() as session:
        job = await cancel_job(session, found.id, now=datetime.now(UTC))
    return task_out(job, request_base(request))


@router.get("/api/v0/tasks/{task_id}", response_model=TaskOut)
async def get_task(task_id: str, request: Request, caller: CallerDep) -> TaskOut | Response:
    """Where an import or export stands."""
    return await _show(request, caller, task_id, None)


@router.post("/api/v0/tasks/{task_id}/cancel", response_model=TaskOut)
async def cancel_task(task_id: str, request: Request, caller: CallerDep) -> TaskOut:
    """Stop a task; refused once content has the command to import."""
    return await _cancel(request, caller, task_id, None)


@router.get("/api/v1/imports/{task_id:uuid}/", response_model=TaskOut, include_in_schema=False)
@router.get("/api/v1/imports/{task_id:uuid}", response_model=TaskOut)
async def get_import(task_id: UUID, request: Request, caller: CallerDep) -> TaskOut | Response:
    """Where an import stands."""
    return await _show(request, caller, str(task_id), Kind.IMPORT)


@router.post("/api/v1/imports/{task_id:uuid}/cancel/", response_model=TaskOut, include_in_schema=False)
@router.post("/api/v1/imports/{task_id:uuid}/cancel", response_model=TaskOut)
async def cancel_import(task_id: UUID, request: Request, caller: CallerDep) -> TaskOut:
    """Stop an import; refused once content has its command."""
    return await _cancel(request, caller, str(task_id), Kind.IMPORT)


@router.get("/api/v1/exports/{task_id:uuid}/", response_model=TaskOut, include_in_schema=False)
@router.get("/api/v1/exports/{task_id:uuid}", response_model=TaskOut)
async def get_export(task_id: UUID, request: Request, caller: CallerDep) -> TaskOut | Response:
    """Where an export stands."""
    return await _show(request, caller, str(task_id), Kind.EXPORT)


@router.post("/api/v1/exports/{task_id:uuid}/cancel/", response_model=TaskOut, include_in_schema=False)
@router.post("/api/v1/exports/{task_id:uuid}/cancel", response_model=TaskOut)
async def cancel_export(task_id: UUID, request: Request, caller: CallerDep) -> TaskOut:
    """Stop an export."""
    return await _cancel(request, caller, str(task_id), Kind.EXPORT)
