"""Where a list was left: opaque to clients, so that following `next` neither repeats nor skips what stayed."""

import base64
import binascii
from dataclasses import dataclass

_MOST = 1 << 63


@dataclass(frozen=True, slots=True)
class Cursor:
    """Behind this course. Its position is good within one epoch; its key always."""

    epoch: int
    position: int
    course_key: str

    def __str__(self) -> str:
        plain = f"{self.epoch:x}.{self.position:x}.{self.course_key}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Raises `ValueError`."""
        try:
            plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
        except binascii.Error as error:
            raise ValueError(text) from error
        epoch, position, key = plain.split(".", 2)
        found = cls(int(epoch, 16), int(position, 16), key)
        if not (0 < found.epoch < _MOST and 0 < found.position < _MOST) or "\x00" in key:
            raise ValueError(text)
        return found
