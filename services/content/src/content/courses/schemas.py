"""Bodies of the course routes."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class NewCourse(BaseModel):
    """A course to create; any further field becomes a setting of the course."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"example": {
        "org": "ExampleX", "number": "EX101", "run": "2026", "display_name": "Example", "start": "2026-09-01T09:00:00Z",
    }})  # fmt: skip

    org: str = Field(title="Organization")
    number: str = Field(title="Course number")
    run: str = Field(title="Run")
    display_name: str = Field(title="Display name", max_length=1000)
    source_course_key: str | None = Field(None, title="The course to run again")


class NewLibrary(BaseModel):
    """A content library to create."""

    model_config = ConfigDict(extra="allow")

    org: str = Field(title="Organization")
    library: str = Field(title="Library")
    display_name: str = Field(title="Display name", max_length=1000)


class CreatedCourse(BaseModel):
    """Where the new course is; `destination_course_key` for the next run of another."""

    url: str
    course_key: str
    destination_course_key: str | None = None


class LibraryOut(BaseModel):
    """One line of the list of libraries."""

    id: str
    org: str
    library: str
    display_name: str | None
    edited_on: datetime
    url: str
