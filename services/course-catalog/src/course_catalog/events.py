"""Every fact this service announces."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from common.messaging import Event


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
