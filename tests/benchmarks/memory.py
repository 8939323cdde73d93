"""Memory of the five processes (and their children), idle: the sum of PSS."""

from pathlib import Path

from measure import Row, proportional_memory

from common.testing.system import SERVICES, System

BAR_MB = 500.0


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        found.append(current)
        todo += children.get(current, [])
    return found


def used(system: System) -> float:
    """Megabytes."""
    pids = {pid for service in SERVICES for pid in family(system.child(service).pid)}
    return sum(proportional_memory(pid) for pid in pids) / 1e6


def memory_rows(system: System) -> list[Row]:
    value = used(system)
    return [Row("memory of all five processes, idle (PSS)", value, "MB", BAR_MB, value / BAR_MB, 1, "<=")]
