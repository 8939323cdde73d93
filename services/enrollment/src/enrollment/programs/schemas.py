"""What enrollment reads of `course_catalog.program.changed.v1` and `accounts.external_id.linked.v1`."""

from collections.abc import Iterator
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from enrollment.course_copies.schemas import HeardKey


class _Heard(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class OrganizationHeard(_Heard):
    key: str


class RunHeard(_Heard):
    key: HeardKey
    external_key: str | None = None


class CourseHeard(_Heard):
    course_runs: tuple[RunHeard, ...] = ()


class CurriculumHeard(_Heard):
    """A way through a program; the first active one counts."""

    uuid: UUID
    is_active: bool = False
    courses: tuple[CourseHeard, ...] = ()
    programs: tuple["NestedHeard", ...] = ()


class NestedHeard(_Heard):
    """A program as far as its courses go."""

    courses: tuple[CourseHeard, ...] = ()
    curricula: tuple[CurriculumHeard, ...] = ()

    @property
    def curriculum(self) -> CurriculumHeard | None:
        return next((curriculum for curriculum in self.curricula if curriculum.is_active), None)

    def runs(self) -> Iterator[RunHeard]:
        """All runs a learner of the program may take: its own, those of its first active curriculum, and below."""
        for course in self.courses:
            yield from course.course_runs
        if curriculum := self.curriculum:
            for course in curriculum.courses:
                yield from course.course_runs
            for program in curriculum.programs:
                yield from program.runs()


class ProgramHeard(NestedHeard):
    """A program's state at a version."""

    uuid: UUID
    version: int
    deleted: bool = False
    title: str = ""
    type: str = ""
    marketing_slug: str = ""
    authoring_organizations: tuple[OrganizationHeard, ...] = ()

    @property
    def organization(self) -> str | None:
        """The first authoring organization is the one that identifies the program's learners."""
        return self.authoring_organizations[0].key if self.authoring_organizations else None


class ProgramsChanged(_Heard):
    """course_catalog.program.changed.v1"""

    programs: tuple[ProgramHeard, ...]


class LinkHeard(_Heard):
    """Whose key it is in an organization, at a version."""

    id: int
    user_id: int
    organization: str
    external_key: str
    version: int
    removed: bool = False


class LinksChanged(_Heard):
    """accounts.external_id.linked.v1"""

    links: tuple[LinkHeard, ...]
