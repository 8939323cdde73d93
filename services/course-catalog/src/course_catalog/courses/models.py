"""The tables of the catalogue, and the rule for places in it."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, DateTime, SmallInteger
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from course_catalog.database import Base

# Positions are positive (a delta marks what left a list with a minus), so they start in the middle of a bigint.
MIDDLE = 1 << 61
GAP = 1 << 36
# Between two courses the first free place is taken, not the middle: courses are mostly made in the order of their keys.
STEP = 1 << 20


class Course(Base):
    """What lists are decided by, and nothing wider. A deleted course keeps its row, or no list would hear of it."""

    __tablename__ = "course"

    course_key: Mapped[str] = mapped_column(primary_key=True)
    pos: Mapped[int] = mapped_column(BigInteger)
    listing_rev: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[int] = mapped_column(BigInteger)
    content_version: Mapped[int] = mapped_column(BigInteger)
    deleted: Mapped[bool]
    visible_to_staff_only: Mapped[bool]
    invitation_only: Mapped[bool]
    mobile_available: Mapped[bool]
    start_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    end_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    enrollment_start: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    enrollment_end: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    catalog_visibility: Mapped[str]
    org: Mapped[str]
    audience: Mapped[int] = mapped_column(SmallInteger)
    listed_from: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    listed_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    only_during_enrollment: Mapped[bool]
    self_paced: Mapped[bool]
    language: Mapped[str]
    words_digest: Mapped[str]


class CourseDocument(Base):
    """What goes out: the rendered item, and the settings and texts it was made from."""

    __tablename__ = "course_document"

    course_key: Mapped[str] = mapped_column(primary_key=True)
    pos: Mapped[int] = mapped_column(BigInteger)
    spelling: Mapped[str]
    content_guid: Mapped[str | None]
    item: Mapped[str]
    settings: Mapped[dict[str, object]] = mapped_column(JSONB)
    about: Mapped[dict[str, str]] = mapped_column(JSONB)


class CatalogueState(Base):
    """One row: the revision every list is compared with, and the epoch of the positions."""

    __tablename__ = "catalogue_state"

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    rev: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[int] = mapped_column(BigInteger)


class NoGap(Exception):
    """There is no room left between two courses: the positions must be given anew."""


def places_between(before: int | None, after: int | None, number: int) -> Sequence[int]:
    """*number* ascending positions between two neighbours, either of which may be missing. Raises `NoGap`."""
    if before is None and after is None:
        first, step = MIDDLE, GAP
    elif after is None:
        first, step = (before or 0) + GAP, GAP
    elif before is None:
        first, step = after - GAP * number, GAP
    else:
        step = min((after - before) // (number + 1), STEP)
        first = before + step
    if step < 1 or first < 1 or first + step * number >= 1 << 63:
        raise NoGap
    return range(first, first + step * number, step)
