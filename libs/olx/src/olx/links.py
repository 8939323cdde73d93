"""Links of a course's texts to its own files and blocks: those that lead nowhere are told."""

import re
from collections.abc import Container, Iterator, Mapping
from html import unescape
from typing import Final
from urllib.parse import unquote

from common.keys import clean_asset_name
from olx.model import Course
from olx.report import Report

_STATIC: Final = re.compile("/static/")
# In quotes a name may have blanks, brackets and commas; elsewhere it ends where the text around it goes on.
_QUOTED: Final = re.compile(r"(?<=([\"']))/static/((?:(?!\1)[^\\<>?#{}$*\n]){1,300})(?=\1|[?#])")
_BARE: Final = re.compile(r"/static/([^\"'\s<>()\\?#&,;|{}$*]+)")
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
        for name, at in _missing_files(text, course.assets) if has_files else ():
            message = f"{block.key} uses /static/{name}, which is not there"
            report.add("static_missing", message, file=file, line=_line(text, at, file))
        for name, at in _jumps(text):
            if name not in ids and unquote(name) not in ids:
                message = f"{block.key} links to the block {name}, which is not there"
                report.add("jump_missing", message, file=file, line=_line(text, at, file))


def _missing_files(text: str, assets: Container[str]) -> Iterator[tuple[str, int]]:
    """Each name that no asset has, once, with the place of its first use."""
    seen: set[str] = set()
    for start in _STATIC.finditer(text):
        at = start.start()
        quoted, bare = _QUOTED.match(text, at), _BARE.match(text, at)
        names = [_tidy(found.group(group)) for found, group in ((quoted, 2), (bare, 1)) if found]
        names = [name for name in names if name and not name.endswith("/")]
        if not names or any(_is_there(name, assets) for name in names):
            continue
        # several files in one attribute, as `srcset` has them, are looked at one by one
        name = names[-1] if "/static/" in names[0] else names[0]
        if name not in seen:
            seen.add(name)
            yield name, at


def _tidy(name: str) -> str:
    return unescape(name).strip().rstrip(".:!")


def _is_there(name: str, assets: Container[str]) -> bool:
    return clean_asset_name(name) in assets or clean_asset_name(unquote(name)) in assets


def _jumps(text: str) -> Iterator[tuple[str, int]]:
    """Each name once, with the place of its first use."""
    seen: set[str] = set()
    for match in _JUMP.finditer(text):
        name = match.group(1).rstrip(".:!")
        if name and name not in seen:
            seen.add(name)
            yield name, match.start()


def _line(text: str, at: int, file: str | None) -> int | None:
    """The line, where the text is a file as it stands."""
    return text.count("\n", 0, at) + 1 if file is not None and file.endswith(".html") else None
