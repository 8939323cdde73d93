"""The report, and its table for spreadsheets."""

from collections.abc import Iterator

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
    round_trip: dict[str, object] | None = None
    """Where it was tried: `equal`, the differences and the files a second export would write otherwise."""


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
    report.entries.extend(_round_trip_entries(report.round_trip or {}))
    return report


def _round_trip_entries(found: dict[str, object]) -> Iterator[ReportEntry]:
    """Each difference as an entry, so that the table and the page have it too."""
    differences, files = found.get("differences"), found.get("changed_files")
    for one in differences if isinstance(differences, list) else []:
        place = " ".join(str(one[name]) for name in ("kind", "key", "part") if one.get(name))
        message = f"{place}: {_said(one.get('before'))} becomes {_said(one.get('after'))}."
        yield ReportEntry(code="round_trip_difference", severity="warning", message=message)
    for path in files if isinstance(files, list) else []:
        message = "A second export would write this file otherwise than the first."
        yield ReportEntry(code="round_trip_file", severity="warning", message=message, file=str(path))


def _said(value: object) -> str:
    return "nothing" if value is None else str(value)


def report_csv(report: ReportOut) -> str:
    return to_csv(COLUMNS, (entry.model_dump() for entry in report.entries))
