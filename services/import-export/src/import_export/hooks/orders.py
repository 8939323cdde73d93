"""What the checkout process is asked, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Order:
    """What to fetch, and how much of it there may be."""

    repository: str
    branch: str
    sha: str
    path: str
    target: str
    most_bytes: int
    most_files: int
    allow_internal: bool = False


@dataclass(frozen=True)
class Fetched:
    """The archive is written."""

    files: int
    size: int
    message: str | None = None
    notes: Sequence[str] = field(default_factory=list)


class Refused(Exception):
    """The commit cannot be had; `transient` when it may be had later."""

    def __init__(self, code: str, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.code, self.message, self.transient = code, message, transient
