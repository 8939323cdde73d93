"""Links of a course's texts to its own files and blocks: those that lead nowhere are told."""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote

from common.keys import clean_asset_name
from olx.model import Course
from olx.report import Report

_STATIC: Final = re.compile(r"/static/([^\"'\s<>()\\?#&,;|{}$*]+)")
_JUMP: Final = re.compile(r"/jump_to_id/([^\"'\s<>()\\?#&/{}$]+)")


def check_links(course: Course, report: Report, places: Mapping[str, str]) -> None:
    """Report links to files that are not in `static`, and to blocks that are not in the course.

    `places` has the file each block's content comes from, where that is one.
    """
    drafts = {key: draft.block for key, draft in course.drafts.items()}
    ids = {block.id for block in (*course.blocks.values(), *drafts.values())}
    # Files of a course with this setting lie outside the archive.
    has_files = bool(course.assets) and not course.blocks[course.root].settings.get("static_asset_path")
    for block in (*course.blocks.values(), *drafts.values()):
        text = block.fields.get("data")
        if not isinstance(text, str):
            continue
        file = places.get(block.key)
        for name, at in _first(_STATIC, text) if has_files else ():
            if not {clean_asset_name(name), clean_asset_name(unquote(name))} & course.assets.keys():
                message = f"{block.key} uses /static/{name}, which is not there"
                report.add("static_missing", message, file=file, line=_line(text, at, file))
        for name, at in _first(_JUMP, text):
            if name not in ids and unquote(name) not in ids:
                message = f"{block.key} links to the block {name}, which is not there"
                report.add("jump_missing", message, file=file, line=_line(text, at, file))


def _first(pattern: re.Pattern[str], text: str) -> Iterator[tuple[str, int]]:
    """Each name once, with the place of its first use."""
    seen: set[str] = set()
    for match in pattern.finditer(text):
        name = match.group(1).rstrip(".:!")
        if name and not name.endswith("/") and name not in seen:
            seen.add(name)
            yield name, match.start()


def _line(text: str, at: int, file: str | None) -> int | None:
    """The line, where the text is a file as it stands."""
    return text.count("\n", 0, at) + 1 if file is not None and file.endswith(".html") else None
