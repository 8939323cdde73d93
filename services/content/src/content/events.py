"""Every fact this service announces, and the command it sends."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from common.messaging import Command, Event
from common.messaging.announcing import Continue, StateAnnounced


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CourseSettings(_Part):
    """The settings written on the root of the published tree; null where the author set nothing."""

    display_name: str | None = None
    start: str | None = None
    end: str | None = None
    enrollment_start: str | None = None
    enrollment_end: str | None = None
    advertised_start: str | None = None
    announcement: str | None = None
    certificate_available_date: str | None = None
    self_paced: bool | None = None
    mobile_available: bool | None = None
    invitation_only: bool | None = None
    visible_to_staff_only: bool | None = None
    cert_html_view_enabled: bool | None = None
    certificates_show_before_end: bool | None = None
    max_student_enrollments_allowed: int | None = None
    days_early_for_beta: float | None = None
    minimum_grade_credit: float | None = None
    catalog_visibility: str | None = None
    course_visibility: str | None = None
    course_image: str | None = None
    banner_image: str | None = None
    social_sharing_url: str | None = None
    course_survey_url: str | None = None
    language: str | None = None
    display_organization: str | None = None
    display_coursenumber: str | None = None
    enrollment_domain: str | None = None
    certificates_display_behavior: str | None = None
    cert_name_short: str | None = None
    cert_name_long: str | None = None
    pre_requisite_courses: list[str] | None = None


class _CourseState(Event):
    """`version` counts all announcements of one course and never restarts; readers keep the highest."""

    course_id: str
    spelling: str
    version: int
    guid: str
    draft_guid: str
    org: str
    number: str
    run: str
    created_by: str | None = None
    source: dict[str, str | None] | None = None
    course: CourseSettings
    about: dict[str, str | None]


class CourseCreated(_CourseState):
    """A course exists now; its root is published."""

    type: ClassVar[str] = "content.course.created.v1"


class CoursePublished(_CourseState):
    """The published head of a course moved."""

    type: ClassVar[str] = "content.course.published.v1"


class CourseDeleted(Event):
    """A course is gone; its row stays as a tombstone, so that its versions never start again."""

    type: ClassVar[str] = "content.course.deleted.v1"

    course_id: str
    version: int
    deleted_at: datetime


class TeamMember(_Part):
    user_id: int
    username: str
    role: Literal["instructor", "staff"]
    version: int
    removed: bool


class CourseTeamChanged(Event):
    """Everybody who is or was on a course's team."""

    type: ClassVar[str] = "content.course_team.changed.v1"

    course_id: str
    version: int
    members: list[TeamMember]


Outcome = Literal["done", "unchanged", "rejected"]


class CommandCompleted(Event):
    """How a command to this service ended; the AMQP correlation id is the command's id."""

    type: ClassVar[str] = "content.command.completed.v1"

    command_id: str
    command: str
    course_id: str | None = None
    outcome: Outcome
    code: str | None = None
    message: str | None = None
    version: int | None = None
    draft_guid: str | None = None
    published_guid: str | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    snapshot: str | None = None


class EnrollItem(_Part):
    username: str
    course_id: str


class Enroll(Command):
    """Enroll the creator of a course in it."""

    type: ClassVar[str] = "enrollment.enroll.v1"

    command_id: str
    requested_by: str | None
    reason: str
    issued_at: datetime
    options: dict[str, bool]
    items: list[EnrollItem]


class ContentAnnounced(StateAnnounced):
    """A page of this service's state for whoever asked; the last one has no items, but the number of pages."""

    type: ClassVar[str] = "content.announced.v1"


class AnnounceAgain(Continue):
    """Go on with the next page."""

    type: ClassVar[str] = "content.announce.v1"
