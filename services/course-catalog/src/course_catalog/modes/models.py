"""Course modes, and what a course without any offers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, DateTime, Identity
from sqlalchemy.orm import Mapped, mapped_column

from course_catalog.database import Base

CREDIT = "credit"
# a professional education mode does not expire
PROFESSIONAL = frozenset({"professional", "no-id-professional"})


class CourseMode(Base):
    """One way to take a course, at a price in a currency."""

    __tablename__ = "course_mode"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    course_key: Mapped[str]
    slug: Mapped[str]
    name: Mapped[str]
    min_price: Mapped[int]
    currency: Mapped[str]
    suggested_prices: Mapped[str]
    expiration_datetime: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expiration_datetime_is_explicit: Mapped[bool]
    description: Mapped[str | None]
    sku: Mapped[str | None]
    bulk_sku: Mapped[str | None]


@dataclass(frozen=True, slots=True)
class Mode:
    """A mode as it is offered and announced."""

    slug: str
    name: str
    min_price: int = 0
    currency: str = "usd"
    suggested_prices: str = ""
    expiration_datetime: datetime | None = None
    description: str | None = None
    sku: str | None = None
    bulk_sku: str | None = None

    @classmethod
    def of(cls, row: CourseMode) -> "Mode":
        return cls(
            slug=row.slug,
            name=row.name,
            min_price=row.min_price,
            currency=row.currency,
            suggested_prices=row.suggested_prices,
            expiration_datetime=row.expiration_datetime,
            description=row.description,
            sku=row.sku,
            bulk_sku=row.bulk_sku,
        )


def offered(
    modes: Iterable[Mode], default: Mode, *, now: datetime, expired: bool = False, selectable_only: bool = False
) -> Sequence[Mode]:
    """The modes a course offers; exactly the default one when none is left."""
    left = [
        mode
        for mode in modes
        if (expired or mode.expiration_datetime is None or mode.expiration_datetime >= now)
        and not (selectable_only and mode.slug == CREDIT)
    ]
    return left or [default]


def default_slug(modes: Iterable[Mode], default: Mode, *, now: datetime) -> str:
    """The mode of an enrollment that names none; not always one the course offers."""
    slugs = {mode.slug for mode in offered(modes, default, now=now, selectable_only=True)}
    return next((slug for slug in (default.slug, "audit", "honor") if slug in slugs), default.slug)
