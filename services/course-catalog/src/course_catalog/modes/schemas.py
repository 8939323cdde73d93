"""Bodies of the course modes API: documentation, and what goes out."""

from datetime import datetime

from pydantic import BaseModel, Field


class ModeOut(BaseModel):
    """One way to take a course."""

    course_id: str
    mode_slug: str
    mode_display_name: str
    min_price: int
    currency: str
    expiration_datetime: datetime | None
    expiration_datetime_is_explicit: bool
    description: str | None
    sku: str | None
    bulk_sku: str | None


class NewMode(BaseModel):
    """A mode to make. The course of the body is the one that counts."""

    course_id: str
    mode_slug: str = Field(max_length=100)
    mode_display_name: str = Field(max_length=255)
    currency: str = Field(max_length=8)
    min_price: int = 0
    expiration_datetime: datetime | None = None
    expiration_datetime_is_explicit: bool = False
    description: str | None = None
    sku: str | None = Field(None, max_length=255)
    bulk_sku: str | None = Field(None, max_length=255)


class ModeChanges(BaseModel):
    """What to change of a mode."""

    mode_display_name: str | None = None
    currency: str | None = None
    min_price: int | None = None
    expiration_datetime: datetime | None = None
    expiration_datetime_is_explicit: bool | None = None
    description: str | None = None
    sku: str | None = None
    bulk_sku: str | None = None
