"""The task as clients see it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
)

from common.values import in_utc
from import_export.reports.tables import to_csv
from import_export.tasks.errors import BadFilters
from import_export.tasks.models import Job, Kind, State
from import_export.tasks.queries import Filters


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


COLUMNS = (
    "task_id",
    "kind",
    "course_id",
    "state",
    "stage",
    "percent",
    "error_code",
    "error_message",
    "requested_by",
    "source_repo",
    "source_sha",
    "archive_digest",
    "draft_version",
    "published_version",
    "created",
    "finished",
    "url",
)


def tasks_csv(tasks: list[TaskOut]) -> str:
    """One line a task."""
    return to_csv(COLUMNS, (_line(task) for task in tasks))


def _line(task: TaskOut) -> Mapping[str, object]:
    source = task.source or {}
    return task.model_dump(mode="json") | {
        "error_code": task.error.code if task.error else None,
        "error_message": task.error.message if task.error else None,
        "source_repo": source.get("repo"),
        "source_sha": source.get("sha"),
    }


def _with_zone(value: object) -> object:
    """A time without a zone is UTC; a `+` that became a space in the query is a `+` again."""
    if isinstance(value, str):
        value = value.strip().replace(" ", "+") if "T" in value else value
        try:
            parsed = datetime.fromisoformat(str(value))
        except ValueError:
            return value
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_with_zone), AfterValidator(in_utc)]
Short = Annotated[str, StringConstraints(max_length=2000, pattern=r"^[^\x00]*$")]


class TaskFilters(BaseModel):
    """What a list of tasks may be narrowed by."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal[Kind.IMPORT, Kind.EXPORT] | None = None
    state: State | None = None
    requested_by: Short | None = None
    source_sha: Short | None = None
    archive_digest: Short | None = None
    created_after: Moment | None = None
    created_before: Moment | None = None


def read_filters(query: Mapping[str, str]) -> Filters:
    """An empty text counts as not given. Raises `BadFilters`, naming each bad field."""
    given = {name: query[name] for name in TaskFilters.model_fields if query.get(name, "") != ""}
    try:
        found = TaskFilters.model_validate(given)
    except ValidationError as error:
        fields = {str(item["loc"][0]): {"developer_message": item["msg"]} for item in error.errors()}
        raise BadFilters(field_errors=fields) from error
    return Filters(**{name: getattr(found, name) for name in TaskFilters.model_fields})


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
