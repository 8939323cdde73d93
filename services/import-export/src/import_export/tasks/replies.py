"""What content says about the commands of imports and exports."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict


class CommandCompleted(BaseModel):
    """`content.command.completed.v1`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    command_id: UUID
    course_id: str | None = None
    outcome: str
    code: str | None = None
    message: str | None = None
    version: int | None = None
    draft_guid: str | None = None
    published_guid: str | None = None
    counts: dict[str, object] = {}
    snapshot: str | None = None
