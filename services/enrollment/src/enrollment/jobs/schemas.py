"""Jobs as the API shows them, and the options it takes."""

import re
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel
from starlette.datastructures import QueryParams

from enrollment.jobs.errors import BadOption
from enrollment.jobs.models import BAD, GOOD, Format, Job, Options

_FLAGS: Final = ("ignore_window", "ignore_capacity", "ignore_invitation", "ignore_mode_expiry")
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off", ""})


class Progress(BaseModel):
    """How far the job is; `total` is unknown until the file was read."""

    total: int | None
    done: int
    percent: int


class JobOut(BaseModel):
    """A job. `text` is the overall code of one that has ended: 200, 204, 207 or 422."""

    job_id: UUID
    job_url: str
    name: str
    kind: str
    owner: str
    state: str
    text: str | None
    dry_run: bool
    created: datetime
    started: datetime | None
    finished: datetime | None
    progress: Progress
    good: int
    bad: int
    outcomes: dict[str, int]
    result: str | None
    undo_of: UUID | None
    error: dict[str, object] | None


class JobPage(BaseModel):
    """Jobs, newest first."""

    next: str | None
    results: list[JobOut]


def show_job(job: Job, base: str) -> dict[str, object]:
    """The job with absolute URLs."""
    url = f"{base}/api/enrollment_jobs/v1/jobs/{job.id}"
    outcomes = {
        name.removeprefix("outcome:"): count for name, count in job.counts.items() if name.startswith("outcome:")
    }
    shown = JobOut(
        job_id=job.id,
        job_url=url,
        name=job.name,
        kind=job.kind.value,
        owner=job.owner,
        state=job.state.value,
        text=job.text,
        dry_run=job.dry_run,
        created=job.created.astimezone(UTC),
        started=job.started.astimezone(UTC) if job.started else None,
        finished=job.finished.astimezone(UTC) if job.finished else None,
        progress=Progress(total=job.total, done=job.done, percent=job.percent),
        good=job.counts.get(GOOD, 0),
        bad=job.counts.get(BAD, 0),
        outcomes=outcomes,
        result=f"{url}/result" if job.result else None,
        undo_of=job.undo_of,
        error=job.error,
    )
    return shown.model_dump(mode="json")


def read_flag(query: QueryParams, name: str) -> bool:
    """Raises `BadOption`."""
    text = query.get(name, "").strip().lower()
    if text not in _TRUE | _FALSE:
        raise BadOption(f"{name} is true or false.")
    return text in _TRUE


def read_options(query: QueryParams) -> Options:
    """Raises `BadOption`."""
    drops, share = query.get("max_drops"), query.get("max_drop_percent")
    if drops is not None and not re.fullmatch(r"[0-9]{1,9}", drops):
        raise BadOption("max_drops is a whole number.")
    if share is not None and (not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,6})?", share) or float(share) > 100):
        raise BadOption("max_drop_percent is a number from 0 to 100.")
    return Options(
        max_drops=None if drops is None else int(drops),
        max_drop_percent=None if share is None else float(share),
        **{name: read_flag(query, name) for name in _FLAGS},
    )


def read_format(text: str | None, default: Format) -> Format:
    """Raises `BadOption`."""
    try:
        return Format(text.lower()) if text else default
    except ValueError as error:
        raise BadOption("fmt is csv or json.") from error
