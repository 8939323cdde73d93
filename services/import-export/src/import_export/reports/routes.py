"""`GET /api/v0/tasks/{id}/report`."""

from html import escape

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from common.identity import CallerDep, request_base
from common.pages import page_response, prefers_html, render_page
from import_export.reports.schemas import COLUMNS, ReportOut, report_csv, report_of
from import_export.tasks.errors import NoReportYet
from import_export.tasks.models import Kind
from import_export.tasks.pages import task_summary
from import_export.tasks.queries import get_visible_job
from import_export.tasks.schemas import TaskOut, task_out

router = APIRouter()
CSV = "text/csv"
_FORMS: dict[int | str, dict[str, object]] = {200: {"content": {CSV: {}, "text/html": {}}}}


@router.get("/api/v1/imports/{task_id}/report", response_model=ReportOut, responses=_FORMS)
@router.get("/api/v0/tasks/{task_id}/report", response_model=ReportOut, responses=_FORMS)
async def get_report(task_id: str, request: Request, caller: CallerDep, format: str = "") -> Response:  # noqa: A002 - the query's own word
    """What the archive held and what became of it, entry by entry; `?format=csv` for browsers."""
    accepted = [part.split(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
    as_csv = format == "csv" or (CSV in accepted and "text/html" not in accepted)
    html = not as_csv and format != "json" and prefers_html(request, also=(CSV,))
    job = await get_visible_job(request.state.resources, caller, task_id)
    if job.kind != Kind.IMPORT or (job.report is None and not job.is_done):
        raise NoReportYet
    report = report_of(job)
    if as_csv:
        headers = {"Content-Disposition": f'attachment; filename="report-{job.id}.csv"', "Vary": "Accept"}
        return Response(report_csv(report), headers=headers, media_type="text/csv; charset=utf-8")
    if html:
        return page_response(_page(report, task_out(job, request_base(request)), user=caller.username))
    return JSONResponse(report.model_dump(mode="json", exclude=_absent(report)), headers={"Vary": "Accept"})


def _absent(report: ReportOut) -> set[str]:
    return {"round_trip"} if report.round_trip is None else set()


def _page(report: ReportOut, task: TaskOut, *, user: str | None) -> str:
    head = "".join(f'<th scope="col">{name.capitalize()}</th>' for name in COLUMNS)
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{escape('' if value is None else str(value))}</td>" for value in map(entry.get, COLUMNS))
        + "</tr>"
        for entry in (item.model_dump() for item in report.entries)
    )
    table = (
        f"<table><caption>{len(report.entries)} entries</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
        if report.entries
        else "<p>Nothing to report: the whole archive was read as it stands.</p>"
    )
    title = f"Report on {task.course_id}"
    summary = task_summary(task.model_copy(update={"report_url": None}))
    body = f'<h1>{escape(title)}</h1>{summary}<h2>Entries</h2>{table}<p><a href="?format=csv">As a table (CSV)</a></p>'
    return render_page(title, body, user=user)
