"""What an author is told about a course that was read."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Final

from olx.codes import REPORT_CODES, Action, Severity

LISTED_PER_CODE: Final = 500


@dataclass(frozen=True, slots=True)
class Entry:
    code: str
    severity: Severity
    message: str
    file: str | None = None
    line: int | None = None
    action: Action = "reported"


@dataclass(slots=True)
class Report:
    entries: list[Entry] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    """How many blocks, drafts, assets and files were read, and how many entries of each severity there are."""
    codes: Counter[str] = field(default_factory=Counter)

    def add(
        self, code: str, message: str, *, file: str | None = None, line: int | None = None, action: Action = "reported"
    ) -> None:
        severity = REPORT_CODES[code][0]
        self.codes[code] += 1
        self.counts[f"{severity}s"] = self.counts.get(f"{severity}s", 0) + 1
        if self.codes[code] <= LISTED_PER_CODE:
            self.entries.append(Entry(code, severity, message, file, line, action))

    def close(self, **counts: int) -> None:
        """Say what is not listed, and how much was read."""
        for code, seen in sorted(self.codes.items()):
            if seen > LISTED_PER_CODE:
                left = seen - LISTED_PER_CODE
                self.entries.append(Entry("more_entries", "info", f"{left} more entries with code {code}"))
        for severity in ("errors", "warnings", "infos"):
            self.counts.setdefault(severity, 0)
        self.counts.update(counts)

    @property
    def has_errors(self) -> bool:
        return self.counts.get("errors", 0) > 0

    def to_json(self) -> dict[str, object]:
        return {"entries": [asdict(entry) for entry in self.entries], "counts": dict(self.counts)}
