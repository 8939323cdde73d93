"""An upload that comes in parts, and where in it a part belongs."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import BigInteger, DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from import_export.database import Base
from import_export.uploads.errors import BadChecksum, BadContentRange

_RANGE = re.compile(r"(\d{1,11})-(\d{1,11})/(\d{1,11})", re.ASCII)
_QUESTION = re.compile(r"(?:bytes\s+)?\*/(\d{1,11})\s*", re.ASCII)
_HEX = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_DIGEST = re.compile(r"(?i:sha-256)=:?([A-Za-z0-9+/]{43}=):?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `start` up to, not including, `stop`, as they came."""

    start: int
    stop: int
    digest: str


PARTS = TypeAdapter(list[Part])


class PartialUpload(Base):
    """What has come so far of a file that one caller uploads into a course."""

    __tablename__ = "partial_upload"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    requester: Mapped[str]
    course_id: Mapped[str]
    filename: Mapped[str]
    total: Mapped[int] = mapped_column(BigInteger)
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    parts: Mapped[list[dict[str, object]]] = mapped_column(JSONB, default=list)
    task_id: Mapped[UUID | None]
    failed: Mapped[bool] = mapped_column(default=False)
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))

    @property
    def in_order(self) -> list[Part]:
        return PARTS.validate_python(self.parts)

    @property
    def keys(self) -> list[str]:
        """The blobs its parts lie in."""
        return [part_key(self.id, part.start) for part in self.in_order]


def part_key(upload_id: UUID, start: int) -> str:
    return f"parts/{upload_id}/{start}"


@dataclass(frozen=True, slots=True)
class Range:
    """What a Content-Range header says; `last` is part of it, as on the wire."""

    first: int
    last: int
    total: int

    @property
    def size(self) -> int:
        return self.last + 1 - self.first

    @property
    def is_whole(self) -> bool:
        return self.first == 0 and self.is_last

    @property
    def is_last(self) -> bool:
        return self.last == self.total - 1


@dataclass(frozen=True, slots=True)
class Question:
    """`Content-Range: bytes */TOTAL`: how far has this upload come?"""

    total: int


def read_content_range(text: str) -> Range | Question:
    """The unit's word in front is ignored, as upstream does. Raises `BadContentRange`."""
    if question := _QUESTION.fullmatch(text.strip()):
        return Question(int(question[1]))
    found = _RANGE.search(text)
    if not found:
        raise BadContentRange
    first, last, total = map(int, found.groups())
    if not first <= last < total:
        raise BadContentRange
    return Range(first, last, total)


def announced_checksum(headers: Mapping[str, str], *places: Mapping[str, str]) -> str | None:
    """The SHA-256 of the whole archive as the caller knows it, in hex. Raises `BadChecksum`."""
    given = next((place["sha256"] for place in places if place.get("sha256")), None)
    if given is not None:
        if not _HEX.fullmatch(given):
            raise BadChecksum
        return given.lower()
    for name in ("repr-digest", "digest"):
        if (value := headers.get(name)) and "sha-256" in value.lower():
            found = _DIGEST.search(value)
            if not found:
                raise BadChecksum
            try:
                return base64.b64decode(found[1], validate=True).hex()
            except binascii.Error as error:
                raise BadChecksum from error
    return None
