"""What the commands to this service say. Readers, so unknown fields are ignored."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from common.values import BigInt


class _Heard(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Requester(_Heard):
    """Who asked, as the sender knew them; the right is decided here again."""

    user_id: BigInt | None = None
    username: str | None = None
    is_staff: bool = False
    creator_grants: tuple[str, ...] = ()
    org_roles: tuple[tuple[str, str], ...] = ()


class _Request(_Heard):
    command_id: UUID | str
    requested_by: Requester = Requester()
    issued_at: datetime | None = None
    expires_at: datetime | None = None


class Source(_Heard):
    """Where an archive came from."""

    repo: str | None = None
    sha: str | None = None
    message: str | None = None


class UnchangedAt(_Heard):
    """Heads at which the sender knows the course to hold what the snapshot holds."""

    draft: str
    published: str


class ImportCourse(_Request):
    """`content.import_course.v1`"""

    course_id: str
    spelling: str | None = None
    snapshot: str
    archive_digest: str | None = None
    dry_run: bool = False
    publish: bool = True
    expected_head: str | None = None
    unchanged_at: UnchangedAt | None = None
    source: Source | None = None
    may_create: bool = False


class SnapshotCourse(_Request):
    """`content.snapshot_course.v1`"""

    course_id: str
    branch: Literal["published", "draft"] | None = None
    version: str | None = None
    if_not_version: str | None = None


class SetCourseRole(_Request):
    """`content.set_course_role.v1`: `role` null takes the role away."""

    course_id: str
    username: str
    role: Literal["instructor", "staff"] | None
