"""Bodies of the course API: documentation, since what goes out is made by the database."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field


class Uri(BaseModel):
    """A site-relative address, or none."""

    uri: str | None


class BannerImage(BaseModel):
    """The banner, site-relative and absolute."""

    uri: str
    uri_absolute: str


class Images(BaseModel):
    """Absolute addresses of the course image."""

    raw: str
    small: str
    large: str


class Media(BaseModel):
    """Pictures and the video about the course."""

    banner_image: BannerImage
    course_image: Uri
    course_video: Uri
    image: Images


class CourseItem(BaseModel):
    """One course run in a list."""

    blocks_url: str
    effort: str | None
    end: datetime | None
    enrollment_start: datetime | None
    enrollment_end: datetime | None
    id: str = Field(description="The course key, in the form the course was created in.")
    media: Media
    name: str
    number: str
    org: str
    short_description: str | None
    start: datetime | None
    start_display: str | None
    start_type: Literal["string", "timestamp", "empty"]
    pacing: Literal["self", "instructor"]
    mobile_available: bool
    hidden: bool
    invitation_only: bool
    course_id: str = Field(description="Always equal to `id`.", deprecated=True)


class CourseOut(CourseItem):
    """One course run."""

    overview: str = Field(description="HTML, as its author wrote it.")


class Pagination(BaseModel):
    """Where the page stands; the counts are exact."""

    next: str | None
    previous: str | None
    count: int
    num_pages: int


class CoursePage(BaseModel):
    """One page of courses."""

    results: list[CourseItem]
    pagination: Pagination


class CourseIdPage(BaseModel):
    """One page of course ids."""

    results: list[str]
    pagination: Pagination
