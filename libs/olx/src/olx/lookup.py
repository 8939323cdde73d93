"""Where definitions and texts lie, in courses of today and in those of 2012."""

import posixpath
import unicodedata
from typing import Final

_LONGEST: Final = 1024
"""Bytes of a path that can be in an archive; a longer one is not looked for."""


def nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def to_path(name: str) -> str:
    return nfc(name).replace(":", "/")


def definition_path(folder: str, block_type: str, name: str) -> str:
    return f"{folder}{block_type}/{to_path(name)}.xml"


def definition_paths(folder: str, block_type: str, filename: str) -> list[str]:
    """Where the body that an attribute `filename` names may be: where it should, or without a doubled ending.

    The first courses kept problems in the folder `problems` and at the top.
    """
    name = to_path(filename[:_LONGEST])
    places = [f"{folder}{block_type}/", f"{block_type}/", *(["problems/", ""] if block_type == "problem" else [])]
    names = [name, name.removesuffix(".xml")]
    return list(dict.fromkeys(posixpath.normpath(f"{place}{one}.xml") for place in places for one in names))


def html_paths(folder: str, filename: str, drafts: str) -> list[str]:
    """Where the text of an html block may be, the most literal place first."""
    if len(filename) > _LONGEST:
        return []
    name = to_path(filename)
    names = [f"{name}.html"]
    if name.endswith((".html", ".htm", ".xml")):
        names.append(f"{name[:-4]}.html" if name.endswith(".xml") else name)
    found = []
    for base in dict.fromkeys([folder, f"{drafts}html", "html"]):
        for one in names:
            path = posixpath.normpath(f"{base}/{one}")
            while path:
                found.append(path)
                path = path.partition("/")[2]
    return list(dict.fromkeys(found))
