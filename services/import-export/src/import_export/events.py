"""What this service announces, and the commands it sends to content."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from common.messaging import Command, Event


class Requester(BaseModel):
    """Who asked: recorded by content, and weighed again when the command runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_id: int | None
    username: str | None
    is_staff: bool
    creator_grants: list[str]
    org_roles: list[tuple[str, str]] = Field(default_factory=list)


class Source(BaseModel):
    """Where an archive came from, as its sender says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repo: str | None
    sha: str | None
    message: str | None


class UnchangedAt(BaseModel):
    """Heads at which a course is known to hold what a snapshot holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    draft: str
    published: str


class ImportCourse(Command):
    """Swap a course's tree for the one in a snapshot, whole or not at all."""

    type: ClassVar[str] = "content.import_course.v1"

    command_id: UUID
    issued_at: datetime
    expires_at: datetime
    requested_by: Requester
    course_id: str
    spelling: str
    snapshot: str
    archive_digest: str
    dry_run: bool
    publish: bool
    expected_head: str | None
    unchanged_at: UnchangedAt | None = None
    source: Source | None
    may_create: bool


class SnapshotCourse(Command):
    """Write a branch or version of a course into the blob store."""

    type: ClassVar[str] = "content.snapshot_course.v1"

    command_id: UUID
    requested_by: Requester
    course_id: str
    branch: Literal["published", "draft"] | None
    version: str | None
    if_not_version: str | None
    expires_at: datetime


class JobFinished(Event):
    """An import or export has come to its end, good or bad."""

    type: ClassVar[str] = "import_export.job.finished.v1"

    job_id: UUID
    kind: Literal["import", "export"]
    course_id: str
    spelling: str
    state: Literal["Succeeded", "Failed", "Canceled"]
    requested_by: str | None
    error_code: str | None
    archive_digest: str | None
    draft_guid: str | None
    published_guid: str | None
    dry_run: bool
    version: int
    finished_at: datetime
