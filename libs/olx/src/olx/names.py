"""Which member names an archive may use. No name is ever used as a path on disk; these rules keep courses portable."""

import re
import unicodedata

from olx.errors import ArchiveRefused
from olx.limits import Limits

_DRIVE = re.compile(r"[A-Za-z]:")
# Control characters, the backslash, and the marks that turn the direction of text around.
_ILLEGAL = re.compile("[\x00-\x1f\x7f-\x9f\\\\\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean_path(name: str, limits: Limits) -> str:
    """The member's path in NFC without empty and `.` parts; empty for the top folder itself."""
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        raise ArchiveRefused("name_not_utf8", member=printable(name))
    if name.startswith("/") or _DRIVE.match(name):
        raise ArchiveRefused("path_absolute", member=printable(name))
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or ".." in name.split("\\"):
        raise ArchiveRefused("path_climbs", member=printable(name))
    if _ILLEGAL.search(name):
        raise ArchiveRefused("name_illegal", member=printable(name))
    path = unicodedata.normalize("NFC", "/".join(parts))
    too_long = len(path.encode()) > limits.name_bytes or any(len(part.encode()) > limits.part_bytes for part in parts)
    if too_long or len(parts) > limits.depth:
        raise ArchiveRefused("name_too_long", member=printable(name)[:200])
    return path


def is_junk(path: str) -> bool:
    """What operating systems leave in archives on their own."""
    parts = path.split("/")
    return parts[-1] in (".DS_Store", "Thumbs.db") or parts[-1].startswith("._") or "__MACOSX" in parts


def printable(name: str) -> str:
    """The name for a message: what cannot be printed is escaped."""
    return (
        name.encode("utf-8", "backslashreplace").decode().encode("unicode_escape").decode()
        if not name.isprintable()
        else name
    )
