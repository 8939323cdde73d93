"""Values from outside that PostgreSQL can store: texts without a NUL, moments inside the calendar, 64-bit numbers."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime

# an escaped NUL, and not an escaped backslash before a text about one
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def has_nul(text: bytes) -> bool:
    """Whether a JSON text has a string with a NUL in it."""
    return b"\\u0000" in text and _NUL.search(text) is not None


def without_nul(text: str) -> str:
    """Raises ValueError."""
    if "\x00" in text:
        raise ValueError("This text holds a NUL character.")
    return text


def in_utc(moment: datetime) -> datetime:
    """Raises ValueError for the first and the last hours there are, where UTC may have no name for them."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("in UTC this is outside the years 1 to 9999") from error


def in_bigint(number: int) -> int:
    """Raises ValueError."""
    if not -(2**63) <= number < 2**63:
        raise ValueError("This number has more than 64 bits.")
    return number


BigInt = Annotated[int, AfterValidator(in_bigint)]
Storable = Annotated[str, AfterValidator(without_nul)]
Moment = Annotated[AwareDatetime, AfterValidator(in_utc)]
