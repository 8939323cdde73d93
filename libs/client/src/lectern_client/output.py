"""What the command prints: results on stdout, progress on stderr, tables for people and lines for logs."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from lectern_client.models import Entry, Job, Parked, Report, Task

_COLOURS = {"error": "red", "warning": "yellow", "info": "dim"}


def say(text: str) -> None:
    """A sentence about what is going on, never mixed into the result."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


class Meter:
    """Callbacks that move a bar on a terminal, and nothing where there is none."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._bar = progress.add_task("", start=False, total=None) if progress else None

    def bytes_done(self, what: str) -> "ByteMeter":
        return ByteMeter(self, what)

    def show(self, what: str, done: float, total: float | None) -> None:
        if self._progress is not None and self._bar is not None:
            self._progress.start_task(self._bar)
            self._progress.update(self._bar, description=what, completed=done, total=total)

    def show_job(self, job: Job) -> None:
        self.show(job.state, job.progress.percent, 100)

    def show_task(self, task: Task) -> None:
        self.show(task.stage or task.state, task.percent, 100)


class ByteMeter:
    """Counts bytes of one transfer."""

    def __init__(self, meter: Meter, what: str) -> None:
        self._meter, self._what = meter, what

    def __call__(self, done: int, total: int) -> None:
        self._meter.show(self._what, done, total or None)


@contextmanager
def meter(*, counts_bytes: bool) -> Iterator[Meter]:
    """A bar on stderr while stderr is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Meter(None)
        return
    columns = [TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %")]
    more = [DownloadColumn(), TimeRemainingColumn()] if counts_bytes else []
    with Progress(*columns, *more, console=console, transient=True) as progress:
        yield Meter(progress)


def print_report(report: Report, *, verbose: bool) -> None:
    """A table on a terminal; elsewhere a line per entry, as compilers print them. Remarks only when *verbose*."""
    console = Console(highlight=False, soft_wrap=True)
    entries = [entry for entry in report.entries if verbose or entry.severity != "info"]
    if not entries:
        return
    if not console.is_terminal:
        for entry in entries:
            sys.stdout.write(_line(entry) + "\n")
        return
    table = Table(show_lines=False)
    for name in ("Severity", "Where", "Code", "What", "Done"):
        table.add_column(name, overflow="fold")
    for entry in entries:
        colour = _COLOURS.get(entry.severity, "")
        shown = (entry.severity, entry.place, entry.code, entry.message, entry.action or "")
        table.add_row(*(_plain(text) for text in shown), style=colour)
    Console(highlight=False).print(table)


def _plain(text: str) -> str:
    return text.replace("[", "\\[")


def _line(entry: Entry) -> str:
    place = f"{entry.place}: " if entry.place else ""
    return f"{place}{entry.severity}: {entry.message} [{entry.code}]"


def print_tasks(tasks: Iterable[Task]) -> None:
    table = Table()
    for name in ("Task", "Kind", "Course", "State", "Begun", "By"):
        table.add_column(name, overflow="fold")
    rows = 0
    for task in tasks:
        begun = task.created.strftime("%Y-%m-%d %H:%M:%S") if task.created else ""
        table.add_row(
            task.task_id, task.kind, _plain(task.course_id), task.state, begun, _plain(task.requested_by or "")
        )
        rows += 1
    if rows:
        Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(table)


def print_parked(messages: Iterable[Parked]) -> None:
    table = Table()
    for name in ("Id", "Queue", "Type", "Reason", "Error", "Since"):
        table.add_column(name, overflow="fold")
    rows = 0
    for message in messages:
        since = message.parked_at.strftime("%Y-%m-%d %H:%M:%S") if message.parked_at else ""
        error = message.error if len(message.error) <= 200 else message.error[:197] + "..."
        table.add_row(message.id, message.queue, message.type, message.reason, _plain(error), since)
        rows += 1
    if rows:
        Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(table)


def summarise(task: Task, report: Report | None) -> str:
    """One line on how it ended."""
    counted = ", ".join(
        f"{value} {name.replace('_', ' ')}" for name, value in task.counts.items() if isinstance(value, int) and value
    )
    text = f"{task.course_id}: {task.state}"
    if task.error:
        where = f" ({task.error.member})" if task.error.member else ""
        text += f": {task.error.message}{where} [{task.error.code}]"
    elif counted:
        text += f" ({counted})"
    if task.catalogue == "pending":
        text += "; the catalogue has yet to show it"
    if report is not None and report.errors:
        text += f"; {len(report.errors)} errors in the report"
    return text
