"""The report, and its table for spreadsheets."""

from pydantic import BaseModel, ConfigDict

from import_export.reports.tables import to_csv
from import_export.tasks.models import Job

COLUMNS = ("severity", "code", "file", "line", "message", "action")


class ReportEntry(BaseModel):
    """One thing an author should know."""

    model_config = ConfigDict(extra="ignore")

    code: str
    severity: str
    message: str
    file: str | None = None
    line: int | None = None
    action: str | None = None


class ReportOut(BaseModel):
    """`GET /api/v0/tasks/{id}/report`."""

    model_config = ConfigDict(extra="ignore")

    entries: list[ReportEntry]
    counts: dict[str, object]


def report_of(job: Job) -> ReportOut:
    """What the reader has said; a failure it has no entry for leads the list."""
    report = ReportOut.model_validate(job.report or {"entries": [], "counts": {}})
    if job.error:
        member = job.error.get("member")
        failure = ReportEntry(
            code=str(job.error["code"]),
            severity="error",
            message=str(job.error["message"]),
            file=str(member) if member else None,
            action="refused",
        )
        report.entries.insert(0, failure)
    return report


def report_csv(report: ReportOut) -> str:
    return to_csv(COLUMNS, (entry.model_dump() for entry in report.entries))
