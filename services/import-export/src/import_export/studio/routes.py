"""`/import`, `/import_status`, `/export`, `/export_status` and `/export_output`, as Studio answers them."""

from datetime import UTC, datetime
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from common.app import raw_path
from common.errors import NotAcceptable, Refusal
from common.identity import Caller, CallerDep, request_base
from common.pages import HTML_TYPES, page_response
from common.resources import Resources
from import_export.courses.queries import require_author
from import_export.exports.models import Choice
from import_export.exports.operations import start_export
from import_export.exports.pages import export_page
from import_export.exports.queries import find_archive
from import_export.exports.sending import send_archive
from import_export.imports.beginning import Begun, open_beginning
from import_export.imports.routes import BODY, partly
from import_export.studio.errors import NoExportYet, OnlyJson, UnsupportedArchive
from import_export.studio.numbers import NOTHING_KNOWN, REFUSED_UPLOAD, export_status, import_status
from import_export.studio.pages import import_page
from import_export.studio.queries import find_newest_job
from import_export.tasks.models import Kind, State
from import_export.tasks.operations import new_job_id
from import_export.tasks.queries import Filters, list_jobs
from import_export.uploads.errors import WrongFormat
from import_export.uploads.operations import SUFFIXES
from import_export.uploads.parts import find_partial, mark_failed

router = APIRouter()
NO_STORE = {"Cache-Control": "no-cache, no-store, must-revalidate"}
_UPLOADED = 1


def _accepts(request: Request) -> list[str]:
    """`_accept` in the query stands over the header."""
    accept = request.query_params.get("_accept") or request.headers.get("accept") or "application/json"
    return [part.split(";")[0].strip().lower() for part in accept.split(",")]


def _wants_page(request: Request) -> bool:
    return any(name in HTML_TYPES for name in _accepts(request))


def _login(request: Request, caller: Caller) -> Response | None:
    """A browser that has not logged in is sent there, and comes back."""
    if not caller.is_anonymous:
        return None
    return RedirectResponse(f"/login?next={quote(raw_path(request), safe='/')}", 302, {"Vary": "Accept"})


def split_place(place: str) -> tuple[str, str]:
    """(key, filename) of `KEY/FILENAME`; the filename is empty where the key stands alone."""
    key, _, name = place.removesuffix("/").rpartition("/")
    return (key, name) if key and name.lower().endswith(SUFFIXES) else (place, "")


@router.get("/import/{course:path}")
async def get_import_page(course: str, request: Request, caller: CallerDep) -> Response:
    """The last imports of a course, as a page."""
    if not _wants_page(request):
        raise NotAcceptable
    if login := _login(request, caller):
        return login
    resources: Resources = request.state.resources
    standing = await require_author(resources, caller, course)
    async with resources.sessions() as session:
        jobs, _ = await list_jobs(
            session, course_id=standing.course_id, filters=Filters(kind=Kind.IMPORT), offset=0, limit=20
        )
    return page_response(import_page(standing.spelling, jobs, user=caller.username))


@router.api_route("/import/{course:path}", methods=["POST", "PUT"], openapi_extra=BODY)
async def import_course_as_studio(course: str, request: Request, caller: CallerDep) -> Response:
    """Upload an archive, or a part of one by Content-Range; the rest is told by `/import_status`."""
    if not {"application/json", "application/*", "*/*"} & set(_accepts(request)):
        raise OnlyJson
    key, _ = split_place(course)
    beginning = await open_beginning(key, request, caller)
    try:
        came = await beginning.carry_out()
    except Refusal as refusal:
        if beginning.filename:
            async with beginning.resources.sessions.begin() as session:
                await mark_failed(
                    session,
                    requester=beginning.requester,
                    course_id=beginning.standing.course_id,
                    filename=beginning.filename,
                    now=datetime.now(UTC),
                )
        if isinstance(refusal, WrongFormat):
            raise UnsupportedArchive from refusal
        raise
    if isinstance(came, Begun):
        return JSONResponse({"ImportStatus": _UPLOADED})
    return partly(request, came)


@router.get("/import_status/{place:path}")
async def get_import_status(place: str, request: Request, caller: CallerDep) -> JSONResponse:
    """How far the caller's newest import of a file of that name into that course has come."""
    resources: Resources = request.state.resources
    key, filename = split_place(place)
    standing = await require_author(resources, caller, key, may_create=True)
    who = caller.username or ""
    async with resources.sessions() as session:
        job = await find_newest_job(session, Kind.IMPORT, course_id=standing.course_id, username=who, filename=filename)
        partial = None
        if job is None:
            partial = await find_partial(session, requester=who, course_id=standing.course_id, filename=filename)
    if job is not None:
        number, message = import_status(job)
    else:
        number, message = (REFUSED_UPLOAD if partial is not None and partial.failed else NOTHING_KNOWN), ""
    return JSONResponse({"ImportStatus": number, "Message": message}, headers=NO_STORE)


@router.get("/export/{course:path}")
async def get_export_page(course: str, request: Request, caller: CallerDep) -> Response:
    """What can be exported of a course, as a page."""
    if not _wants_page(request):
        raise NotAcceptable
    if login := _login(request, caller):
        return login
    standing = await require_author(request.state.resources, caller, course)
    return page_response(export_page(standing.spelling, user=caller.username))


@router.post("/export/{course:path}")
async def export_course_as_studio(course: str, request: Request, caller: CallerDep) -> JSONResponse:
    """Begin an export; the rest is told by `/export_status`."""
    resources: Resources = request.state.resources
    standing = await require_author(resources, caller, course)
    async with resources.sessions.begin() as session:
        await start_export(
            session, new_job_id(), caller=caller, standing=standing, choice=Choice(), now=datetime.now(UTC)
        )
    return JSONResponse({"ExportStatus": 1})


@router.get("/export_status/{course:path}")
async def get_export_status(course: str, request: Request, caller: CallerDep) -> JSONResponse:
    """How far the caller's newest export of that course has come."""
    resources: Resources = request.state.resources
    standing = await require_author(resources, caller, course)
    async with resources.sessions() as session:
        job = await find_newest_job(session, Kind.EXPORT, course_id=standing.course_id, username=caller.username or "")
    answer: dict[str, object] = {"ExportStatus": NOTHING_KNOWN}
    if job is not None:
        answer = export_status(job, f"{request_base(request)}/export_output/{standing.spelling}")
    return JSONResponse(answer, headers=NO_STORE)


@router.get("/export_output/{course:path}", response_class=Response)
async def get_export_output(course: str, request: Request, caller: CallerDep) -> Response:
    """The archive of the caller's newest export that succeeded."""
    resources: Resources = request.state.resources
    standing = await require_author(resources, caller, course)
    async with resources.sessions() as session:
        job = await find_newest_job(
            session,
            Kind.EXPORT,
            course_id=standing.course_id,
            username=caller.username or "",
            state=State.SUCCEEDED,
        )
        archive = await find_archive(session, job.archive_key) if job and job.archive_key else None
    sent = await send_archive(request, resources.blobs, archive) if archive is not None else None
    if sent is None:
        raise NoExportYet
    return sent
