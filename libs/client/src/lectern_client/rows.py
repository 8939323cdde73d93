"""Enrollments in a CSV file, as registrars' systems write them."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from lectern_client.errors import LecternError

WHO = ("username", "email")
COLUMNS = (*WHO, "course_id", "mode", "is_active", "cohort")
_TRUE, _FALSE = {"", "true", "yes", "1", "t", "y"}, {"false", "no", "0", "f", "n"}


class BadRows(LecternError):
    """The file cannot be read as a list of enrollments."""


def read_rows(path: Path, course_id: str | None = None) -> Iterator[dict[str, str]]:
    """Each row with its named cells. *course_id* is taken where a row names no course. Raises `BadRows`."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            yield from _read(path, text, course_id)
    except UnicodeDecodeError as error:
        raise BadRows(f"{path} is not UTF-8.") from error


def _read(path: Path, text: Iterable[str], course_id: str | None) -> Iterator[dict[str, str]]:
    rows = csv.reader(text, strict=True)
    try:
        header = [name.strip().casefold() for name in next(rows, [])]
        if not set(header) & set(WHO):
            raise BadRows(f"{path}:1: the header names none of {', '.join(WHO)}.")
        if "course_id" not in header and course_id is None:
            raise BadRows(f"{path}:1: the header has no course_id, and no --course is given.")
        for cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(header):
                raise BadRows(f"{path}:{rows.line_num}: there are more cells than columns.")
            row = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if cell.strip()}
            if course_id is not None:
                row.setdefault("course_id", course_id)
            if not any(row.get(name) for name in WHO) or "course_id" not in row:
                raise BadRows(f"{path}:{rows.line_num}: the row names no learner, or no course.")
            yield row
    except csv.Error as error:
        raise BadRows(f"{path}:{rows.line_num}: this is no CSV: {error}.") from error


def is_active(row: dict[str, str]) -> bool:
    """Raises `BadRows` for a cell that is neither true nor false."""
    text = row.get("is_active", "").casefold()
    if text not in _TRUE | _FALSE:
        raise BadRows(f"is_active is {row['is_active']!r}, which is neither true nor false.")
    return text in _TRUE
