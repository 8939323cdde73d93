"""Built archives, and what an export may be of."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import BigInteger, DateTime
from sqlalchemy.orm import Mapped, mapped_column

from import_export.database import Base

Variant = Literal["default", "published", "draft", "version"]


class Archive(Base):
    """An archive in the blob store. Equal keys have equal bytes."""

    __tablename__ = "archive"

    key: Mapped[str] = mapped_column(primary_key=True)
    course_id: Mapped[str]
    variant: Mapped[str]
    draft_guid: Mapped[str | None]
    published_guid: Mapped[str | None]
    etag: Mapped[str]
    blob: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    filename: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    used_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tree of a course: a branch's head, a version, or by default what is published with the drafts beside it."""

    branch: Literal["published", "draft"] | None = None
    version: str | None = None

    @property
    def variant(self) -> Variant:
        if self.version:
            return "version"
        return self.branch or "default"

    def key(self, course_id: str, draft_guid: str | None, published_guid: str | None) -> str | None:
        """The name of the archive made of these heads; None when a head it needs is not known.

        What is published and its drafts move apart: together two guids name that archive, alone neither does.
        """
        match self.variant:
            case "version":
                guid = self.version
            case "published":
                guid = published_guid
            case "draft":
                guid = draft_guid
            case "default":
                guid = f"{published_guid}-{draft_guid}" if published_guid and draft_guid else published_guid
        return f"{course_id}@{guid}" if guid else None
