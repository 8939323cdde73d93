"""Bodies of the routes of deleted courses."""

from datetime import datetime

from pydantic import BaseModel


class DeletedOut(BaseModel):
    """A course that can be restored."""

    course_id: str
    deleted_at: datetime


class RestoredOut(BaseModel):
    """The course that is there again."""

    course_id: str
    url: str
