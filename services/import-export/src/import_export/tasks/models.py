"""A job, and the words for where it stands."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, SmallInteger
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from import_export.database import Base

Json = dict[str, object]


class Kind(StrEnum):
    """What a job does."""

    IMPORT = "import"
    EXPORT = "export"
    INSPECTION = "inspection"
    """Asked for by a request that waits for it; no task of the lists."""


class State(StrEnum):
    """Upstream's words, which clients wait for."""

    PENDING = "Pending"
    IN_PROGRESS = "In Progress"
    UNPACKING = "Unpacking"
    VERIFYING = "Verifying"
    UPDATING = "Updating"
    RETRYING = "Retrying"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


class Phase(StrEnum):
    """Who has to act next; clients never see it."""

    FETCHING = "fetching"
    """A hook's worker, which has yet to fetch the commit that was pushed."""
    QUEUED = "queued"
    """A worker, when one is free."""
    WORKING = "working"
    """The worker that holds the lease."""
    ASKED = "asked"
    """Content, which has or will get our command."""
    CATALOGUE = "catalogue"
    """The catalogue, which has yet to show what content has published."""
    DONE = "done"


class Job(Base):
    """One import or export."""

    __tablename__ = "job"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str]
    course_id: Mapped[str]
    spelling: Mapped[str]
    phase: Mapped[str]
    state: Mapped[str]
    stage: Mapped[str] = mapped_column(default="")
    percent: Mapped[int] = mapped_column(SmallInteger, default=0)
    counts: Mapped[Json] = mapped_column(JSONB, default=dict)
    options: Mapped[Json] = mapped_column(JSONB)
    source: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True))
    requested_by: Mapped[Json] = mapped_column(JSONB)
    requester_id: Mapped[int | None] = mapped_column(BigInteger)
    filename: Mapped[str | None]
    archive_digest: Mapped[str | None]
    snapshot: Mapped[str | None]
    snapshot_digest: Mapped[str | None]
    report: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True))
    error: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True))
    command_id: Mapped[UUID | None]
    command: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True))
    draft_guid: Mapped[str | None]
    published_guid: Mapped[str | None]
    content_version: Mapped[int | None] = mapped_column(BigInteger)
    catalogue: Mapped[str | None]
    archive_key: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    revision: Mapped[int] = mapped_column(BigInteger, default=0)
    lease_owner: Mapped[UUID | None]
    lease_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    wake_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    request_id: Mapped[str | None]
    traceparent: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    @property
    def is_done(self) -> bool:
        return self.phase == Phase.DONE

    @property
    def upload_key(self) -> str:
        """Where the uploaded archive lies until it has been read."""
        return f"uploads/{self.id}"

    @property
    def snapshot_key(self) -> str:
        """Where the snapshot lies that this job's own reading of its archive makes."""
        return f"snapshots/{self.id}"

    def option(self, name: str) -> bool:
        return self.options.get(name) is True

    def next_revision(self) -> int:
        """Numbers what this job sends and announces, under its row's lock."""
        self.revision += 1
        return self.revision
