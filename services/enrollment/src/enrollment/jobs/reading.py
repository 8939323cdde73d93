"""Read a file's records one by one, never the whole of it: CSV, a JSON array, or a JSON object on each line."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Final

from enrollment.bodies import is_deep
from enrollment.jobs.errors import BadFile
from enrollment.jobs.models import Format

_LOOKAHEAD: Final = 64 * 1024
_SPACE: Final = " \t\r\n"
_MAX_CELLS: Final = 1000

Record = Mapping[str, object]


def read_file(path: Path, format_: Format, required: tuple[tuple[str, ...], ...]) -> Iterator[tuple[int, Record]]:
    """(line or number of the record, record). Of each group in *required* a CSV must have one column.

    Raises `BadFile`.
    """
    with path.open(encoding="utf-8-sig", newline=None if format_ is Format.CSV else "") as text:
        try:
            yield from _read_csv(text, required) if format_ is Format.CSV else _read_json(text)
        except UnicodeDecodeError as error:
            raise BadFile("The file is not UTF-8.") from error


def _read_csv(text: IO[str], required: tuple[tuple[str, ...], ...]) -> Iterator[tuple[int, Record]]:
    rows = csv.reader(text, strict=True)
    try:
        header = [name.strip().casefold() for name in next(rows, [])]
        missing = [group[0] for group in required if not set(group) & set(header)]
        if missing:
            raise BadFile(f"The header has no column {', '.join(missing)}.", line=1)
        if len(header) > _MAX_CELLS or len(set(header)) < len(header):
            raise BadFile("The header names a column twice, or too many.", line=1)
        for cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(header):
                raise BadFile("There are more cells than columns.", line=rows.line_num)
            record = dict(zip(header, (cell.strip() for cell in cells), strict=False))
            for group in required:
                if not any(record.get(name) for name in group):
                    raise BadFile(f"There is no {group[0]}.", line=rows.line_num)
            yield rows.line_num, {name: value for name, value in record.items() if value}
    except csv.Error as error:
        raise BadFile(f"This is no CSV: {error}.", line=rows.line_num) from error


class _Json:
    """A window over a JSON text, filled as it is used up."""

    def __init__(self, text: IO[str]) -> None:
        self._text, self._held, self._place, self._over = text, "", 0, False
        self._decoder = json.JSONDecoder(parse_constant=_refuse_constant)

    def _fill(self) -> bool:
        """False when there is no more."""
        if self._over:
            return False
        more = self._text.read(_LOOKAHEAD)
        self._over = not more
        self._held, self._place = self._held[self._place :] + more, 0
        return bool(more)

    def next(self) -> str:
        """The next character that is no space, "" at the end; it stays."""
        while True:
            while self._place < len(self._held) and self._held[self._place] in _SPACE:
                self._place += 1
            if self._place < len(self._held):
                return self._held[self._place]
            if not self._fill():
                return ""

    def skip(self) -> None:
        self._place += 1

    def value(self, number: int) -> object:
        """Raises `BadFile`; a record longer than the window is one that nobody means."""
        while True:
            try:
                value, end = self._decoder.raw_decode(self._held, self._place)
            except json.JSONDecodeError as error:
                if len(self._held) - self._place >= _LOOKAHEAD or not self._fill():
                    raise BadFile(f"Record {number} is no JSON: {error.msg}.") from error
            except (RecursionError, ValueError) as error:
                raise BadFile(f"Record {number} is nothing that can be read.") from error
            else:
                self._place = end
                return value


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


def _read_json(text: IO[str]) -> Iterator[tuple[int, Record]]:
    window = _Json(text)
    in_array = window.next() == "["
    if in_array:
        window.skip()
    elif window.next() == "":
        raise BadFile("The file is empty.")
    number = 0
    while True:
        first = window.next()
        if first == ("]" if in_array else ""):
            break
        number += 1
        if in_array and number > 1:
            if first != ",":
                raise BadFile(f"There is no comma before record {number}.")
            window.skip()
            first = window.next()
        if first != "{":
            raise BadFile(f"Record {number} is no JSON object.")
        value = window.value(number)
        if not isinstance(value, dict):
            raise BadFile(f"Record {number} is no JSON object.")
        if is_deep(value):
            raise BadFile(f"Record {number} is nested too deep.")
        yield number, value
    if in_array:
        window.skip()
        if window.next():
            raise BadFile("There is something behind the end of the JSON array.")
