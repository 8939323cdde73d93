"""Headers of a served file: ranges, validators, caching, and what keeps an author's file from acting. No I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import quote

from common.keys import AssetKey

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
# Types a browser would run as a page of this site's.
_ACTIVE = frozenset({"text/html", "text/xml", "text/xsl", "application/xml"})
_SHOWN = ("image/", "audio/", "video/", "text/plain", "text/css", "text/vtt", "application/pdf", "font/",
          "application/javascript", "text/javascript", "application/json")  # fmt: skip
SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; media-src 'self'; sandbox"
_YEAR = 31_536_000
_DIGITS = 100  # of a place in a file; turning digits into a number takes their square
_CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(; ?charset=[\w-]+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asset:
    """One uploaded file, as its version has it."""

    name: str
    digest: str
    size: int
    content_type: str
    display_name: str
    locked: bool
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes from *start* up to, not including, *end*; `partial` when that is not all."""

    start: int
    end: int
    partial: bool


class Unsatisfiable(Exception):
    """The range begins behind the end of the file."""


def read_range(header: str | None, size: int) -> Span:
    """One range of bytes; anything else (several, malformed, other units) means the whole. Raises `Unsatisfiable`."""
    whole = Span(0, size, partial=False)
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", "") or any(len(part) > _DIGITS for part in match.groups()):
        return whole
    first, last = match.groups()
    if first == "":
        length = int(last)
        if length == 0 or size == 0:
            raise Unsatisfiable
        return Span(max(0, size - length), size, partial=True)
    start = int(first)
    end = min(int(last) + 1, size) if last else size
    if start >= size or start >= end:
        raise Unsatisfiable
    return Span(start, end, partial=True)


def is_unchanged(headers: Mapping[str, str], etag: str, modified: str) -> bool:
    """Whether the client has these bytes already; a match of tags stands over dates."""
    tags = headers.get("if-none-match")
    if tags is not None:
        known = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
        return "*" in known or etag in known
    return headers.get("if-modified-since") == modified


def range_applies(headers: Mapping[str, str], etag: str, modified: str) -> bool:
    """`If-Range`: a range of other bytes than the client has is of no use to it."""
    condition = headers.get("if-range")
    return condition is None or condition in (etag, modified)


def http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)


def versioned_path(digest: str, key: AssetKey) -> str:
    """The address that names the bytes as well: what it leads to never changes."""
    return f"/assets/courseware/v1/{digest}/{str(key).removeprefix('/')}"


def headers_of(asset: Asset, *, max_age: int, now: datetime, immutable: bool = False) -> dict[str, str]:
    """Everything but length and range; *immutable* under an address that names the bytes."""
    kind = asset.content_type if _CONTENT_TYPE.fullmatch(asset.content_type) else "application/octet-stream"
    bare = kind.partition(";")[0].lower()
    headers = {
        "Content-Type": kind,
        "Accept-Ranges": "bytes",
        "ETag": f'"{asset.digest}"',
        "Last-Modified": http_date(asset.changed_at),
        "Vary": "Origin",
        "X-Content-Type-Options": "nosniff",
    }
    headers["Cross-Origin-Resource-Policy"] = "same-origin" if asset.locked else "cross-origin"
    if asset.locked:
        headers["Cache-Control"] = "private, no-cache, no-store"
    elif immutable:
        headers["Cache-Control"] = f"public, max-age={_YEAR}, s-maxage={_YEAR}, immutable"
        headers["Expires"] = http_date(now + timedelta(seconds=_YEAR))
    elif max_age > 0:
        headers["Cache-Control"] = f"public, max-age={max_age}, s-maxage={max_age}"
        headers["Expires"] = http_date(now + timedelta(seconds=max_age))
    if bare in _ACTIVE or bare.endswith("+xml"):
        headers["Content-Security-Policy"] = SANDBOX
    elif not bare.startswith(_SHOWN):
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(asset.name, safe='')}"
    return headers
