"""Bodies of the programs API."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from common.keys import CourseKey, InvalidKey
from common.values import Moment
from course_catalog.bodies import Line, Title
from course_catalog.listings.schemas import Address

MOST_COURSES, MOST_RUNS, MOST_CURRICULA, MOST_NESTED = 500, 200, 50, 100
Status = Literal["unpublished", "active", "retired"]


def _run_key(text: str) -> str:
    try:
        key = CourseKey.parse(text)
    except InvalidKey as error:
        raise ValueError("this is not a valid course key") from error
    if key.is_library:
        raise ValueError("a library has no learners")
    return key.canonical


def _nested(value: object) -> object:
    """A nested program is named by its uuid, or given as a record of which the uuid counts."""
    return value.get("uuid") if isinstance(value, dict) else value


RunKey = Annotated[Title, AfterValidator(_run_key)]
Nested = Annotated[UUID, BeforeValidator(_nested)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore")


class OrganizationIn(_Body):
    """Who authors the program; the first one's key names the organization that identifies its learners."""

    key: Title
    name: Line | None = None
    uuid: UUID | None = None
    logo_image_url: Address | None = None


class RunIn(_Body):
    """A course run. What is left out is taken from the catalogue, if it knows the run."""

    key: RunKey
    uuid: UUID | None = None
    title: Line | None = None
    external_key: Line | None = None
    status: Line | None = None
    start: Moment | None = None
    end: Moment | None = None
    pacing_type: Line | None = None
    marketing_url: Address | None = None


class CourseIn(_Body):
    """A course, whichever run of it a learner takes; its key follows from its first run."""

    key: Line | None = None
    uuid: UUID | None = None
    title: Line | None = None
    course_runs: list[RunIn] = Field(default=[], max_length=MOST_RUNS)


class CurriculumIn(_Body):
    """A way through the program; the first active one counts."""

    uuid: UUID | None = None
    name: Line = ""
    is_active: bool = True
    courses: list[CourseIn] = Field(default=[], max_length=MOST_COURSES)
    programs: list[Nested] = Field(default=[], max_length=MOST_NESTED)
    """Uuids of programs, or records of which the uuid counts."""


class TypeAttrs(_Body):
    uuid: UUID | None = None
    slug: Line | None = None
    coaching_supported: bool = False


class NewProgram(_Body):
    """A program to make, or all that one shall be."""

    uuid: UUID | None = None
    title: Title
    type: Title
    type_attrs: TypeAttrs | None = None
    marketing_slug: Line = ""
    status: Status = "active"
    authoring_organizations: list[OrganizationIn] = Field(default=[], max_length=50)
    courses: list[CourseIn] = Field(default=[], max_length=MOST_COURSES)
    curricula: list[CurriculumIn] = Field(default=[], max_length=MOST_CURRICULA)


class OrganizationOut(BaseModel):
    key: str
    name: str
    uuid: UUID
    logo_image_url: str | None


class RunOut(BaseModel):
    key: str
    uuid: UUID
    title: str
    external_key: str | None
    status: str | None
    start: datetime | None
    end: datetime | None
    pacing_type: str | None
    marketing_url: str | None


class CourseOut(BaseModel):
    uuid: UUID
    key: str
    title: str
    course_runs: list[RunOut]


class CurriculumOut(BaseModel):
    uuid: UUID
    name: str
    is_active: bool
    courses: list[CourseOut]
    programs: list["ProgramOut"]


class ProgramOut(BaseModel):
    """One program; those nested in it are whole."""

    uuid: UUID
    title: str
    type: str
    type_attrs: TypeAttrs | None
    marketing_slug: str
    status: str
    authoring_organizations: list[OrganizationOut]
    courses: list[CourseOut]
    curricula: list[CurriculumOut]


class ProgramPage(BaseModel):
    """One page of programs, by title."""

    count: int
    next: str | None
    previous: str | None
    results: list[ProgramOut]
