"""Which member names an archive may use. No name is ever used as a path on disk; these rules keep courses portable."""

import hashlib
import re
import unicodedata
from typing import NoReturn

from common.keys import clean_name, is_name
from olx.errors import ArchiveRefused
from olx.limits import Limits

_SURROGATE = re.compile("[\ud800-\udfff]")
_DRIVE = re.compile(r"[A-Za-z]:")
# What a definition's name may be, so that with its folders and `.html` it stays within `Limits`.
_PART_BYTES, _NAME_BYTES, _MOST_PARTS = 240, 600, 20
# Control characters, the backslash, and the marks that turn the direction of text around.
_ILLEGAL = re.compile("[\x00-\x1f\x7f-\x9f\\\\\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean_path(name: str, limits: Limits) -> str:
    """The member's path in NFC without empty and `.` parts; empty for the top folder itself."""
    if _is_plain(name) and len(name) <= limits.part_bytes and name.count("/") < limits.depth:
        return name if len(name) <= limits.name_bytes else _too_long(name)
    if _SURROGATE.search(name):
        raise ArchiveRefused("name_not_utf8", member=printable(name))
    if name.startswith("/") or _DRIVE.match(name):
        raise ArchiveRefused("path_absolute", member=printable(name))
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or ".." in name.split("\\"):
        raise ArchiveRefused("path_climbs", member=printable(name))
    if _ILLEGAL.search(name) and not (is_junk(name) and not _ILLEGAL.search(name.removesuffix("\r"))):
        raise ArchiveRefused("name_illegal", member=printable(name))
    path = unicodedata.normalize("NFC", "/".join(parts))
    too_long = len(path.encode()) > limits.name_bytes or any(len(part.encode()) > limits.part_bytes for part in parts)
    if too_long or len(parts) > limits.depth:
        _too_long(name)
    return path


def _is_plain(name: str) -> bool:
    """Nearly every name: nothing in it that any rule could be about."""
    return (
        name.isascii()
        and name.isprintable()
        and name[:1] not in ("", "/", ".")
        and name[-1] != "/"
        and name[1:2] != ":"
        and "\\" not in name
        and "//" not in name
        and "/." not in name
    )


def _too_long(name: str) -> NoReturn:
    raise ArchiveRefused("name_too_long", member=printable(name)[:200])


def block_name(name: str) -> str:
    """What a block of this name is called here: the same, unless no key or no file could have the name."""
    if is_name(name) and can_be_path(name):
        return name
    cleaned = clean_name(name)
    if can_be_path(cleaned):
        return cleaned
    start = cleaned.replace(":", "_").strip("._").encode()[:120].decode("utf-8", "ignore")
    return f"{start or 'name'}_{hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()[:12]}"


def is_junk(path: str) -> bool:
    """What operating systems leave in archives on their own."""
    parts = path.split("/")
    return parts[-1] in (".DS_Store", "Icon\r") or parts[-1].startswith("._") or "__MACOSX" in parts


def can_be_path(name: str) -> bool:
    """Can a block of this name have a file of its own, and be found there again? (A `:` in a name is a folder.)"""
    parts = name.split(":")
    return all(
        part not in ("", ".", "..") and len(part.encode()) <= _PART_BYTES and part != "__MACOSX" for part in parts
    ) and not (
        len(parts) > _MOST_PARTS
        or len(name.encode()) > _NAME_BYTES
        or is_junk(parts[-1])
        or any(part.endswith((".xml", ".html")) for part in parts[:-1])
    )


def printable(name: str) -> str:
    """The name for a message: what cannot be printed is escaped."""
    return (
        name.encode("utf-8", "backslashreplace").decode().encode("unicode_escape").decode()
        if not name.isprintable()
        else name
    )
