"""The report, and its table for spreadsheets."""

import csv
import io

from pydantic import BaseModel, ConfigDict

from import_export.tasks.models import Job

COLUMNS = ("severity", "code", "file", "line", "message", "action")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


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


def to_csv(report: ReportOut) -> str:
    """A table that a spreadsheet opens as text: what would be taken for a formula is quoted."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for entry in report.entries:
        values = entry.model_dump()
        writer.writerow([_cell(values[column]) for column in COLUMNS])
    return out.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
