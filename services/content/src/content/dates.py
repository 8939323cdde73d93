"""Dates as authors wrote them over ten years, and the one form in which we print them."""

from datetime import UTC, datetime
from functools import lru_cache

# "No start date": a course without one starts here.
NO_START = datetime(2030, 1, 1, tzinfo=UTC)
_FORMS = ("%B %d, %Y, %H:%M", "%B %d, %Y %H:%M", "%B %d, %Y", "%b %d, %Y", "%Y-%m-%d %H:%M:%S %Z", "%m/%d/%Y")


def parse_date(value: object) -> datetime | None:
    """The moment that an ISO date or one of the older spellings means, in UTC where it names no zone; else None."""
    return _read(value.strip().strip('"')) if isinstance(value, str) else None


@lru_cache(maxsize=4096)
def _read(text: str) -> datetime | None:
    moment = _iso(text)
    for form in _FORMS:
        if moment is not None:
            break
        try:
            moment = datetime.strptime(text, form)
        except ValueError:
            continue
    if moment is None:
        return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def print_date(moment: datetime | None) -> str | None:
    """`2026-01-31T09:00:00Z`; fractions of a second only where there are some."""
    if moment is None:
        return None
    moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="auto").replace("+00:00", "Z")


def normal_date(value: object) -> str | None:
    """A date in our form, or None when it is none."""
    return print_date(parse_date(value))
