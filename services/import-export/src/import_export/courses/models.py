"""The copies: courses, their teams, accounts, and the content version the catalogue shows."""

from dataclasses import dataclass

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from import_export.database import Base


class Course(Base):
    """A course or library as content last announced it; a deleted one stays as a tombstone."""

    __tablename__ = "course"

    course_id: Mapped[str] = mapped_column(primary_key=True)
    spelling: Mapped[str]
    version: Mapped[int] = mapped_column(BigInteger)
    deleted: Mapped[bool] = mapped_column(default=False)
    draft_guid: Mapped[str | None]
    published_guid: Mapped[str | None]


class TeamMember(Base):
    """A role in a course; one taken away stays as a tombstone."""

    __tablename__ = "course_team"

    course_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    username: Mapped[str]
    role: Mapped[str]
    version: Mapped[int] = mapped_column(BigInteger)
    removed: Mapped[bool] = mapped_column(default=False)


class Account(Base):
    """Who may still act: a role in a course is worth nothing to an account that was deactivated."""

    __tablename__ = "account"

    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    username: Mapped[str]
    is_active: Mapped[bool]
    is_staff: Mapped[bool | None]
    """None where the account was announced before this was kept."""
    version: Mapped[int] = mapped_column(BigInteger)


class CatalogueVersion(Base):
    """How far the catalogue has followed a course."""

    __tablename__ = "catalogue_version"

    course_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)
    content_version: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True, slots=True)
class Standing:
    """What one caller is to one course."""

    course_id: str
    spelling: str
    exists: bool
    role: str | None
