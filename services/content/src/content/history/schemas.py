"""Bodies of the history routes."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue


class VersionOut(BaseModel):
    """One version of a branch: who made it, when, why, and from what."""

    version: str
    number: int
    branch: str
    previous: str | None
    original: str
    edited_by: str | None
    user_id: int | None
    edited_on: datetime
    reason: str
    source: dict[str, JsonValue] | None
    is_head: bool


class OneVersionOut(VersionOut):
    """A version by itself, with the course whose it is."""

    course_id: str


class HistoryOut(BaseModel):
    """A page of a branch's versions, newest first."""

    course_id: str
    branch: str
    head: str
    count: int
    next_cursor: str | None
    next: str | None
    results: list[VersionOut]


class BlockVersionOut(VersionOut):
    """A version in which a block came to be, changed or went; `changes` are against its form before."""

    change: Literal["added", "changed", "removed"]
    changes: list[dict[str, JsonValue]]
    parent: str | None
    definition: str | None


class BlockHistoryOut(BaseModel):
    """A page of one block's history, newest first."""

    course_id: str
    branch: str
    block: str
    next_cursor: str | None
    next: str | None
    results: list[BlockVersionOut]


class SectionOut(BaseModel):
    """What differs of one kind of thing."""

    added: list[dict[str, JsonValue]]
    removed: list[dict[str, JsonValue]]
    changed: list[dict[str, JsonValue]]


class BlocksSectionOut(SectionOut):
    """What differs among the blocks; `moved` are those with another parent, or another place among their siblings."""

    moved: list[dict[str, JsonValue]]


class DiffOut(BaseModel):
    """What differs between two versions; `before` null means that there was nothing."""

    before: OneVersionOut | None
    after: OneVersionOut
    blocks: BlocksSectionOut
    pages: SectionOut
    assets: SectionOut
    files: SectionOut


class PublishStateOut(BaseModel):
    """How far what learners read is behind what the team writes."""

    course_id: str
    draft: str | None
    published: str | None
    has_changes: bool
    blocks: BlocksSectionOut
    pages: SectionOut
    assets: SectionOut
    files: SectionOut


class RevertIn(BaseModel):
    """The version to go back to."""

    model_config = ConfigDict(extra="forbid", strict=True)

    version: str


class RevertedOut(BaseModel):
    """Where the branches are now; `changed` names those that have a new version."""

    course_id: str
    version: str
    published_version: str | None
    changed: list[str]
