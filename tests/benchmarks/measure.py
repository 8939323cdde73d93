"""What a benchmark row is, and how it is taken: interleaved with its baseline, medians of five."""

import json
import os
import statistics
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

ROUNDS = 5
TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Row:
    """`ratio` is what `bar` speaks of; `better` says in which direction."""

    name: str
    value: float
    unit: str
    baseline: float | None
    ratio: float
    bar: float
    better: str  # "<=" or ">="
    note: str = ""

    @property
    def met(self) -> bool:
        return self.ratio <= self.bar if self.better == "<=" else self.ratio >= self.bar


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def proportional_memory(pid: int) -> int:
    """PSS in bytes."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


async def interleaved(
    ours: Callable[[], Awaitable[float]], baseline: Callable[[], Awaitable[float]], *, rounds: int = ROUNDS
) -> tuple[float, float, float]:
    """(median of ours, median of the baseline, median of their ratios), one after the other in every round."""
    pairs = []
    for _ in range(rounds):
        theirs = await baseline()
        pairs.append((await ours(), theirs))
    ratios = [mine / theirs for mine, theirs in pairs]
    return (
        statistics.median(mine for mine, _ in pairs),
        statistics.median(theirs for _, theirs in pairs),
        statistics.median(ratios),
    )


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def report(rows: list[Row], target: Path) -> str:
    """Write `.lectern/bench.json` and return the table."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps([{**asdict(row), "met": row.met} for row in rows], indent=1) + "\n")
    lines = [f"{'what':<58}{'value':>14}{'baseline':>12}{'ratio':>9}{'bar':>9}  met"]
    for row in rows:
        base = "-" if row.baseline is None else f"{row.baseline:,.3g}"
        bar = f"{row.better} {row.bar:g}"
        value = f"{row.value:,.4g} {row.unit}"
        lines.append(f"{row.name:<58}{value:>14}{base:>12}{row.ratio:>9.2f}{bar:>9}  {'yes' if row.met else 'NO'}")
        if row.note:
            lines.append(f"    {row.note}")
    return "\n".join(lines)
