"""Bodies of the reports."""

from pydantic import BaseModel


class Count(BaseModel):
    """How many enrollments are in this mode and state."""

    mode: str
    is_active: bool
    count: int


class CourseCounts(BaseModel):
    """A course's enrollments by mode and state; seats are told of courses with a limit."""

    course_id: str
    active: int
    inactive: int
    capacity: int | None
    seats_taken: int | None
    counts: list[Count]


class CountsPage(BaseModel):
    """A page of courses, in the order in which they were first heard of."""

    next: str | None
    results: list[CourseCounts]
