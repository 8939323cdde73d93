"""What enrollment reads of `course_catalog.course.changed.v1`."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from common.keys import CourseKey

# a key nobody can parse is the message's fault, and found while it is read
HeardKey = Annotated[str, AfterValidator(lambda text: CourseKey.parse(text).canonical)]


class ModeHeard(BaseModel):
    """A mode the course offers."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    slug: str
    name: str
    min_price: int = 0
    currency: str = "usd"
    suggested_prices: str = ""
    expiration_datetime: datetime | None = None
    description: str | None = None
    sku: str | None = None
    bulk_sku: str | None = None


class CourseHeard(BaseModel):
    """A course's state at a version."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    course_id: HeardKey
    version: int
    deleted: bool = False
    spelling: str | None = None
    org: str | None = None
    display_name: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    enrollment_start: datetime | None = None
    enrollment_end: datetime | None = None
    invitation_only: bool = False
    max_enrollments: int | None = None
    pacing: str | None = None
    modes: tuple[ModeHeard, ...] = ()


class CoursesChanged(BaseModel):
    """course_catalog.course.changed.v1"""

    model_config = ConfigDict(extra="ignore", frozen=True)

    courses: tuple[CourseHeard, ...]
