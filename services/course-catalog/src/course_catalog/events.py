"""Every fact this service announces."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from common.messaging import Event
from common.messaging.announcing import AskAnnounce, Continue, StateAnnounced


class AnnouncedMode(BaseModel):
    """One way to take the course. `expiration_datetime` past: no longer offered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slug: str
    name: str
    min_price: int
    currency: str
    suggested_prices: str
    expiration_datetime: datetime | None
    description: str | None
    sku: str | None
    bulk_sku: str | None


class AnnouncedCourse(BaseModel):
    """The whole state of one course as others need it; the newest `version` wins, also over `deleted`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    course_id: str
    spelling: str
    version: int
    deleted: bool
    content_version: int
    content_guid: str | None
    display_name: str
    org: str
    number: str
    run: str
    start: datetime
    end: datetime | None
    enrollment_start: datetime | None
    enrollment_end: datetime | None
    invitation_only: bool
    max_enrollments: int | None
    visible_to_staff_only: bool
    catalog_visibility: str
    pacing: Literal["self", "instructor"]
    default_mode: str
    """The mode of an enrollment that names none, when this was announced."""
    modes: list[AnnouncedMode]
    """All modes, expired ones too, and the default one alone for a course that has none; never empty."""


class CourseChanged(Event):
    """Courses have been made, changed or deleted."""

    type: ClassVar[str] = "course_catalog.course.changed.v1"
    batch_field: ClassVar[str | None] = "courses"

    courses: list[AnnouncedCourse]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AnnouncedOrganization(_Part):
    """Who authors a program; the first one's key names the organization that identifies its learners."""

    uuid: UUID
    key: str
    name: str


class AnnouncedRun(_Part):
    """One run of a course of a program. `key` is canonical; `external_key` is what the program's school calls it."""

    uuid: UUID
    key: str
    title: str
    external_key: str | None = None
    status: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    pacing_type: str | None = None
    marketing_url: str | None = None


class AnnouncedProgramCourse(_Part):
    """A course of a program, whichever run of it a learner takes."""

    uuid: UUID
    key: str
    title: str
    course_runs: list[AnnouncedRun]


class AnnouncedCurriculum(_Part):
    """A way through a program; the first active one counts."""

    uuid: UUID
    name: str
    is_active: bool
    courses: list[AnnouncedProgramCourse]
    programs: list["ProgramState"]


class ProgramState(_Part):
    """A program as others need it; programs nested in its curricula are whole."""

    uuid: UUID
    title: str
    type: str
    marketing_slug: str
    status: str
    authoring_organizations: list[AnnouncedOrganization]
    courses: list[AnnouncedProgramCourse]
    curricula: list[AnnouncedCurriculum]


class AnnouncedProgram(ProgramState):
    """The newest `version` wins, also over `deleted`. A program is announced again when one nested in it changes."""

    version: int
    deleted: bool
    course_run_keys: list[str]
    """The membership set: every run that counts as a part of the program; sorted, canonical, each once."""


class ProgramsChanged(Event):
    """Programs have been made, changed or deleted."""

    type: ClassVar[str] = "course_catalog.program.changed.v1"
    batch_field: ClassVar[str | None] = "programs"

    programs: list[AnnouncedProgram]


class AnnounceContent(AskAnnounce):
    """Say again what you know of courses and teams."""

    type: ClassVar[str] = "content.announce.v1"


class AnnounceAccounts(AskAnnounce):
    """Say again what you know of accounts."""

    type: ClassVar[str] = "gateway.announce.v1"


class CatalogueAnnounced(StateAnnounced):
    """A page of this service's state for whoever asked; the last one has no items, but the number of pages."""

    type: ClassVar[str] = "course_catalog.announced.v1"


class AnnounceAgain(Continue):
    """Go on with the next page."""

    type: ClassVar[str] = "course_catalog.announce.v1"
