"""What an exporter may ask for."""

from typing import Literal

from starlette.requests import Request

from common.keys import InvalidKey, parse_guid, short_branch
from common.pages import HTML_TYPES
from import_export.exports.errors import ArchiveNotAcceptable, BranchAndVersion, InvalidBranch, InvalidVersion
from import_export.exports.models import Choice

ARCHIVE_TYPE = "application/x-tgz"
_ARCHIVE_TYPES = frozenset(
    {ARCHIVE_TYPE, "application/gzip", "application/x-gzip", "application/octet-stream", "application/*", "*/*"}
)


def read_choice(branch: str | None, version: str | None) -> Choice:
    """Raises `InvalidBranch`, `InvalidVersion`, `BranchAndVersion`."""
    if branch and version:
        raise BranchAndVersion
    if version:
        try:
            return Choice(version=parse_guid(version))
        except InvalidKey as error:
            raise InvalidVersion from error
    match short_branch(branch) if branch else None:
        case None:
            return Choice()
        case "published":
            return Choice(branch="published")
        case "draft":
            return Choice(branch="draft")
        case _:
            raise InvalidBranch


def wanted_form(request: Request) -> Literal["archive", "page"]:
    """By `_accept` or `accept` in the query, which stand over the header. Raises `ArchiveNotAcceptable`."""
    query = request.query_params
    accept = query.get("_accept") or query.get("accept") or request.headers.get("accept") or "*/*"
    ranges: list[tuple[float, str]] = []
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((_number(text[2:]) for text in parameters if text.startswith("q=")), 1.0)
        if quality > 0:
            ranges.append((quality, name))
    # the sort is stable: of equals the first named wins
    for _, name in sorted(ranges, key=lambda item: -item[0]):
        if name in _ARCHIVE_TYPES:
            return "archive"
        if name in HTML_TYPES:
            return "page"
    raise ArchiveNotAcceptable


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
