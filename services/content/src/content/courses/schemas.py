"""Bodies of the course routes."""

from pydantic import BaseModel, ConfigDict, Field


class NewCourse(BaseModel):
    """A course to create; any further field becomes a setting of the course."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"example": {
        "org": "ExampleX", "number": "EX101", "run": "2026", "display_name": "Example", "start": "2026-09-01T09:00:00Z",
    }})  # fmt: skip

    org: str = Field(title="Organization")
    number: str = Field(title="Course number")
    run: str = Field(title="Run")
    display_name: str = Field(title="Display name")


class CreatedCourse(BaseModel):
    """Where the new course is."""

    url: str
    course_key: str
