"""The task as clients see it."""

from datetime import datetime

from pydantic import BaseModel

from import_export.tasks.models import Job, Kind


class TaskError(BaseModel):
    """Why a task failed; `member` is the file in the archive that made it fail."""

    code: str
    message: str
    member: str | None = None


class TaskOut(BaseModel):
    """`GET /api/v0/tasks/{id}`."""

    task_id: str
    kind: str
    course_id: str
    state: str
    stage: str
    percent: int
    counts: dict[str, object]
    report_url: str | None
    download_url: str | None
    error: TaskError | None
    options: dict[str, object]
    source: dict[str, object] | None
    archive_digest: str | None
    draft_version: str | None
    published_version: str | None
    catalogue: str | None
    requested_by: str | None
    created: datetime
    modified: datetime
    finished: datetime | None
    url: str


class TaskPage(BaseModel):
    """`GET /api/v0/tasks`, newest first."""

    count: int
    num_pages: int
    next: str | None
    previous: str | None
    results: list[TaskOut]


class TaskStarted(BaseModel):
    """The answer to a request that began a task."""

    task_id: str
    url: str


def task_url(base: str, job_id: object) -> str:
    return f"{base}/api/v0/tasks/{job_id}"


def export_url(base: str, job: Job) -> str:
    chosen = "&".join(f"{name}={job.options[name]}" for name in ("branch", "version") if job.options.get(name))
    return f"{base}/api/v0/export/{job.spelling}" + (f"?{chosen}" if chosen else "")


def task_out(job: Job, base: str) -> TaskOut:
    url = task_url(base, job.id)
    username = job.requested_by.get("username")
    return TaskOut(
        task_id=str(job.id),
        kind=job.kind,
        course_id=job.spelling,
        state=job.state,
        stage=job.stage,
        percent=job.percent,
        counts=job.counts,
        report_url=f"{url}/report" if job.kind == Kind.IMPORT else None,
        download_url=export_url(base, job) if job.kind == Kind.EXPORT else None,
        error=TaskError.model_validate(job.error) if job.error else None,
        options=job.options,
        source=job.source,
        archive_digest=job.archive_digest,
        draft_version=job.draft_guid,
        published_version=job.published_guid,
        catalogue=job.catalogue,
        requested_by=username if isinstance(username, str) else None,
        created=job.created_at,
        modified=job.updated_at,
        finished=job.finished_at,
        url=url,
    )
