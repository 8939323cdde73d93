"""Every fact this service announces."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from common.messaging import Event
from common.messaging.announcing import Continue, StateAnnounced


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EnrollmentChange(_Part):
    """An enrollment's state at a version."""

    user_id: int
    username: str
    course_id: str
    mode: str
    is_active: bool
    version: int
    changed_at: datetime


class EnrollmentsChanged(Event):
    """Learners were enrolled or unenrolled, or changed their mode; bulk changes have a routing key of their own."""

    type: ClassVar[str] = "enrollment.enrollments.changed.v1"
    batch_field: ClassVar[str | None] = "changes"
    bulk_routing_key: ClassVar[str] = "enrollment.enrollments.changed.v1.bulk"

    changes: tuple[EnrollmentChange, ...]


class AllowedEntry(_Part):
    """An entry of the allowed list at a version; the address in lower case."""

    email: str
    course_id: str
    auto_enroll: bool
    removed: bool
    version: int


class AllowedChanged(Event):
    """E-mail addresses were let into courses, or are no more."""

    type: ClassVar[str] = "enrollment.allowed.changed.v1"
    batch_field: ClassVar[str | None] = "entries"

    entries: tuple[AllowedEntry, ...]


class ItemResult(_Part):
    """What became of one item of a command."""

    index: int
    ref: str | int | None = None
    outcome: Literal["enrolled", "unchanged", "unenrolled", "waiting", "rejected"]
    code: str | None = None
    message: str | None = None


class CommandCompleted(Event):
    """A command was carried out item by item, or refused whole."""

    type: ClassVar[str] = "enrollment.command.completed.v1"

    command_id: str
    outcome: Literal["rejected"] | None = None
    code: Literal["too_many_items", "malformed", "expired", "command_id_reused"] | None = None
    message: str | None = None
    results: tuple[ItemResult, ...]


class EnrollmentAnnounced(StateAnnounced):
    """A page of this service's state for whoever asked; the last one has no items, but the number of pages."""

    type: ClassVar[str] = "enrollment.announced.v1"


class AnnounceAgain(Continue):
    """Go on with the next page."""

    type: ClassVar[str] = "enrollment.announce.v1"
