"""What a job is, without I/O."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

BROKER_USER: Final = "job"
"""How enrollments that a job changed by the rules of commands are told from those of real commands."""


class Kind(StrEnum):
    PROGRAM_ENROLLMENTS = "program_enrollments"
    COURSE_ENROLLMENTS = "program_course_enrollments"
    ENROLLMENTS = "enrollments"
    UNDO = "undo"


class State(StrEnum):
    PENDING = "Pending"
    IN_PROGRESS = "In Progress"
    RETRYING = "Retrying"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELED = "Canceled"


class Format(StrEnum):
    CSV = "csv"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller chose besides."""

    max_drops: int | None = None
    max_drop_percent: float | None = None
    ignore_window: bool = False
    ignore_capacity: bool = False
    ignore_invitation: bool = False
    ignore_mode_expiry: bool = False


NO_OPTIONS: Final = Options()


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is stored."""

    id: UUID
    kind: Kind
    direction: str
    scope: str
    program_uuid: UUID | None
    course_n: int | None
    undo_of: UUID | None
    owner: str
    created: datetime
    started: datetime | None
    finished: datetime | None
    state: State
    text: str | None
    dry_run: bool
    options: Options
    format: Format
    upload: str | None
    total: int | None
    done: int
    counts: dict[str, int]
    result: str | None
    cancel_requested: bool
    failures: int
    error: dict[str, object] | None

    @property
    def name(self) -> str:
        """Three parts between colons: whose, read or write, what."""
        whose = self.scope.partition(":")[2].replace(":", "_") if not self.program_uuid else str(self.program_uuid)
        return f"{whose}:{self.direction}:{self.kind}"

    @property
    def percent(self) -> int:
        if self.finished and self.state is State.SUCCEEDED:
            return 100
        return self.done * 100 // self.total if self.total else 0


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a job; `data` is the record as it was sent."""

    n: int
    folded: str
    course_n: int | None
    data: dict[str, object]
    repeated: bool


@dataclass(frozen=True, slots=True)
class Staged:
    """A row about to be stored."""

    folded: str
    course_n: int | None
    drops: bool
    data: dict[str, object]


GOOD: Final = "good"
BAD: Final = "bad"


def overall(counts: dict[str, int]) -> str:
    """The code of the whole, as text: 204 for no rows, 207 when some were refused, 422 when all were."""
    good, bad = counts.get(GOOD, 0), counts.get(BAD, 0)
    if bad:
        return "207" if good else "422"
    return "200" if good else "204"
