"""How much an archive may be."""

from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that hold while an archive is read; what exceeds one is refused."""

    members: int = 50_000
    member_bytes: int = 1 << 30
    total_bytes: int = 2 << 30
    ratio: int = 100
    """Unpacked bytes per packed byte, asked after the first `ratio_free_bytes`."""
    ratio_free_bytes: int = 10 << 20
    header_bytes: int = 64 << 10
    """Long-name and extension records of one member."""
    name_bytes: int = 1024
    part_bytes: int = 255
    depth: int = 32
    seconds: float = 120.0
    blocks: int = 50_000
    nesting: int = 60
    attributes: int = 2_000
    """Attributes of one element."""
    text_bytes: int = 64 << 20
    """One definition or text file."""
    memory_bytes: int = 48 << 20
    """Text kept in memory while reading; what is beyond waits in the spool directory."""

    @classmethod
    def from_json(cls, given: dict[str, int | float]) -> Self:
        """Take the known names; an unknown one is an error, so that a misspelt limit is not silently off."""
        known = {field.name for field in fields(cls)}
        unknown = set(given) - known
        if unknown:
            raise ValueError(f"unknown limits: {', '.join(sorted(unknown))}")
        return cls(**{name: (float(value) if name == "seconds" else int(value)) for name, value in given.items()})  # type: ignore[arg-type]
