"""What the server answers. Fields this client does not know are kept out of the way, not refused."""

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, RootModel


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class TaskError(_Answer):
    """Why a task failed; `member` is the file in the archive that made it fail."""

    code: str
    message: str
    member: str | None = None


class Task(_Answer):
    """An import or export."""

    task_id: str
    kind: Literal["import", "export"] = "import"
    course_id: str = ""
    state: str
    stage: str = ""
    percent: int = 0
    counts: dict[str, object] = {}
    report_url: str | None = None
    download_url: str | None = None
    error: TaskError | None = None
    options: dict[str, object] = {}
    archive_digest: str | None = None
    draft_version: str | None = None
    published_version: str | None = None
    catalogue: str | None = None
    requested_by: str | None = None
    created: datetime | None = None
    finished: datetime | None = None
    url: str | None = None

    @property
    def has_ended(self) -> bool:
        return self.state in {"Succeeded", "Failed", "Canceled"}

    @property
    def has_succeeded(self) -> bool:
        return self.state == "Succeeded"


class Started(_Answer):
    """The answer to a request that began a task."""

    task_id: str
    url: str | None = None


class Entry(_Answer):
    """One thing the author of an archive should know."""

    code: str
    severity: str
    message: str
    file: str | None = None
    line: int | None = None
    action: str | None = None

    @property
    def place(self) -> str:
        """`file:line`, as compilers print it."""
        return f"{self.file or ''}:{self.line}" if self.line is not None else self.file or ""


class Report(_Answer):
    """What reading an archive has shown."""

    entries: list[Entry] = []
    counts: dict[str, object] = {}

    @property
    def errors(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.severity == "error"]


class Export(_Answer):
    """A downloaded archive; `path` is None when the server had nothing newer than the version given."""

    etag: str | None
    path: Path | None
    size: int


class Enrollment(_Answer):
    """One learner in one course."""

    user: str
    mode: str | None = None
    is_active: bool = True


class Token(_Answer):
    """The answer of `POST /oauth2/access_token`."""

    access_token: str
    token_type: str = "JWT"  # noqa: S105 - a scheme, not a secret
    expires_in: float


class TaskPage(_Answer):
    """One page of tasks."""

    results: list[Task]
    next: str | None = None
    count: int


class StartedJob(_Answer):
    """The answer to a file of enrollments."""

    job_id: str


class JobProgress(_Answer):
    """How far a job is."""

    total: int | None = None
    done: int = 0
    percent: int = 0


class Job(_Answer):
    """A file of enrollments on its way."""

    job_id: str
    name: str = ""
    state: str
    text: str | None = None
    result: str | None = None
    progress: JobProgress = JobProgress()
    good: int = 0
    bad: int = 0
    outcomes: dict[str, int] = {}
    error: dict[str, object] | None = None

    @property
    def has_ended(self) -> bool:
        return self.state in {"Succeeded", "Failed", "Canceled"}

    @property
    def all_is_well(self) -> bool:
        """No row was rejected: `text` is upstream's code for the whole, 207 or 422 when some or all were."""
        return self.state == "Succeeded" and self.text not in {"207", "422"}


class Parked(_Answer):
    """A message that a service could not handle."""

    id: str
    queue: str
    type: str
    reason: str
    error: str = ""
    attempts: int = 0
    state: str
    parked_at: datetime | None = None


class ParkedMessage(RootModel[dict[str, object]]):
    """All that is known of one, as the service says it."""


class ParkedPage(_Answer):
    """`next` is where the following page begins."""

    results: list[Parked]
    next: str | None = None
