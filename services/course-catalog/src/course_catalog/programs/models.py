"""The record of a program as it is stored, and the rule for what counts as a part of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import BaseModel, ConfigDict
from sqlalchemy import BigInteger, DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from course_catalog.database import Base

Json = dict[str, object]
_NAMES = uuid5(NAMESPACE_URL, "lectern:programs")


def uuid_of(kind: str, name: str) -> UUID:
    """The uuid of a course, run or organization that was given none: the same one wherever it is named."""
    return uuid5(_NAMES, f"{kind} {name}")


class Program(Base):
    """One program. A deleted one stays as a tombstone, so that its version never starts again."""

    __tablename__ = "program"

    uuid: Mapped[UUID] = mapped_column(primary_key=True)
    title: Mapped[str]
    type: Mapped[str]
    type_attrs: Mapped[Json | None] = mapped_column(JSONB)
    marketing_slug: Mapped[str]
    status: Mapped[str]
    organizations: Mapped[list[Json]] = mapped_column(JSONB)
    courses: Mapped[list[Json]] = mapped_column(JSONB)
    curricula: Mapped[list[Json]] = mapped_column(JSONB)
    version: Mapped[int] = mapped_column(BigInteger)
    deleted: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class _Stored(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Organization(_Stored):
    uuid: UUID
    key: str
    name: str
    logo_image_url: str | None = None


class Run(_Stored):
    uuid: UUID
    key: str
    title: str
    external_key: str | None = None
    status: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    pacing_type: str | None = None
    marketing_url: str | None = None


class ProgramCourse(_Stored):
    uuid: UUID
    key: str
    title: str
    course_runs: tuple[Run, ...]


class Curriculum(_Stored):
    uuid: UUID
    name: str
    is_active: bool
    courses: tuple[ProgramCourse, ...]
    programs: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A program with its parts read."""

    uuid: UUID
    title: str
    type: str
    type_attrs: Json | None
    marketing_slug: str
    status: str
    organizations: tuple[Organization, ...]
    courses: tuple[ProgramCourse, ...]
    curricula: tuple[Curriculum, ...]
    version: int
    deleted: bool

    @classmethod
    def of(cls, row: Program) -> "Record":
        return cls(
            uuid=row.uuid,
            title=row.title,
            type=row.type,
            type_attrs=row.type_attrs,
            marketing_slug=row.marketing_slug,
            status=row.status,
            organizations=tuple(Organization.model_validate(each) for each in row.organizations),
            courses=tuple(ProgramCourse.model_validate(each) for each in row.courses),
            curricula=tuple(Curriculum.model_validate(each) for each in row.curricula),
            version=row.version,
            deleted=row.deleted,
        )

    @property
    def active_curriculum(self) -> Curriculum | None:
        """The first active one: the one that counts."""
        return next((curriculum for curriculum in self.curricula if curriculum.is_active), None)

    @property
    def children(self) -> set[UUID]:
        """Programs nested in any curriculum."""
        return {child for curriculum in self.curricula for child in curriculum.programs}


def membership(record: Record, known: Mapping[UUID, Record]) -> set[str]:
    """Keys of all runs that count as a part of a program.

    Its own courses' and its first active curriculum's, and those of every program nested in that curriculum, and so on.
    """
    return set(_run_keys(record, known, frozenset()))


def _run_keys(record: Record, known: Mapping[UUID, Record], above: frozenset[UUID]) -> Iterator[str]:
    if record.deleted or record.uuid in above:
        return
    active = record.active_curriculum
    for course in (*record.courses, *(active.courses if active else ())):
        yield from (run.key for run in course.course_runs)
    for child in active.programs if active else ():
        if child in known:
            yield from _run_keys(known[child], known, above | {record.uuid})
