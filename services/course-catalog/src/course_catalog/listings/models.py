"""Listing rules and marketing, as they are stored."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import BigInteger, DateTime, SmallInteger, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from course_catalog.database import Base

Audience = Literal["open", "authenticated", "listed"]
AUDIENCES: tuple[Audience, ...] = ("open", "authenticated", "listed")  # the place of each is its number in tables


class CourseOwn(Base):
    """The catalogue's own settings of one course; there before the course, and still there after it."""

    __tablename__ = "course_own"

    course_key: Mapped[str] = mapped_column(Text, primary_key=True)
    audience: Mapped[int] = mapped_column(SmallInteger)
    domains: Mapped[list[str]] = mapped_column(ARRAY(Text))
    invitees: Mapped[list[str]] = mapped_column(ARRAY(Text))
    listed_from: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    listed_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    only_during_enrollment: Mapped[bool]
    marketing: Mapped[dict[str, str]] = mapped_column(JSONB)
    version: Mapped[int] = mapped_column(BigInteger)
    changed_by: Mapped[str]
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Marketing(BaseModel):
    """Texts and pictures shown instead of those that the course's authors wrote; null: theirs."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str | None = None
    short_description: str | None = None
    overview: str | None = None
    effort: str | None = None
    image: str | None = None
    banner_image: str | None = None
    video: str | None = None
    marketing_url: str | None = None


class Own(BaseModel):
    """What a course's row is made with, beside what content says."""

    model_config = ConfigDict(frozen=True)

    audience: int = 0
    listed_from: datetime | None = None
    listed_until: datetime | None = None
    only_during_enrollment: bool = False
    marketing: Marketing = Marketing()
    version: int = 0
    """0: it has none."""


PLAIN = Own()
