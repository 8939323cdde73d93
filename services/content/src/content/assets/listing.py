"""Studio's list of assets: filtered, sorted, paged. No I/O."""

from collections.abc import Sequence
from datetime import UTC, datetime

from starlette.datastructures import QueryParams

from common.keys import CourseKey
from content.assets.errors import UnknownTypeFilter
from content.assets.queries import Listing
from content.assets.serving import Asset

Json = dict[str, object]
_OOXML = "application/vnd.openxmlformats-officedocument."
TYPES: dict[str, frozenset[str]] = {
    "Images": frozenset(
        f"image/{kind}" for kind in
        ("png", "jpeg", "jpg", "gif", "tiff", "tif", "x-icon", "svg+xml", "bmp", "x-ms-bmp", "webp")
    ),
    "Documents": frozenset(
        {"application/pdf", "text/plain", "text/csv", "application/msword", "application/vnd.ms-excel",
         "application/vnd.ms-powerpoint"}
        | {f"{_OOXML}{kind}" for kind in
           ("wordprocessingml.document", "wordprocessingml.template", "presentationml.presentation",
            "presentationml.template", "presentationml.slideshow", "spreadsheetml.sheet", "spreadsheetml.template")}
    ),
    "Audio": frozenset(
        {"audio/mpeg", "audio/mp3", "audio/mp4", "audio/x-wav", "audio/wav", "audio/ogg", "audio/aac", "audio/flac"}
    ),
    "Code": frozenset(
        {"application/json", "application/javascript", "text/javascript", "text/css", "text/html", "text/xml",
         "application/xml", "text/x-python", "application/x-python-code", "text/x-c", "text/x-java-source"}
    ),
}  # fmt: skip
_OTHER = "OTHER"


def print_listing(course: CourseKey, listed: Sequence[Listing], query: QueryParams, base: str) -> Json:
    """The page that the query asks for. Raises `UnknownTypeFilter`."""
    sort, direction = query.get("sort", "date_added"), query.get("direction", "")
    types = [name for name in query.get("asset_type", "").split(",") if name]
    text = query.get("text_search", "")
    chosen = [line for line in listed if _is_of(line.asset, types) and _holds(line.asset.display_name, text)]
    chosen.sort(key=lambda line: line.asset.name)
    chosen.sort(key=lambda line: _sort_key(line.asset, sort), reverse=direction.lower() != "asc")
    size = max(1, min(_number(query.get("page_size"), 50), 1000))
    page = max(0, _number(query.get("page"), 0))
    start = page * size
    if start >= len(chosen) and chosen:
        page = (len(chosen) - 1) // size
        start = page * size
    shown = chosen[start : start + size]
    return {
        "start": start,
        "end": start + len(shown),
        "page": page,
        "pageSize": size,
        "totalCount": len(chosen),
        "assets": [print_asset(course, line.asset, base) for line in shown],
        "sort": sort,
        "direction": direction,
        "assetTypes": types,
        "textSearch": text,
    }


def print_asset(course: CourseKey, asset: Asset, base: str) -> Json:
    """Studio's asset object."""
    key = str(course.asset(asset.name))
    return {
        "display_name": asset.display_name,
        "content_type": asset.content_type,
        "date_added": asset.changed_at.astimezone(UTC).strftime("%b %d, %Y at %H:%M UTC"),
        "url": f"/{key}",
        "external_url": f"{base}/{key}",
        "portable_url": f"/static/{asset.name}",
        "thumbnail": None,
        "locked": asset.locked,
        "static_full_url": f"/{key}",
        "id": key,
        "file_size": asset.size,
    }


def _number(text: str | None, default: int) -> int:
    try:
        return int(text) if text else default
    except ValueError:
        return default


def _holds(name: str, text: str) -> bool:
    return all(token.lower() in name.lower() for token in text.split())


def _is_of(asset: Asset, types: Sequence[str]) -> bool:
    unknown = [name for name in types if name not in TYPES and name != _OTHER]
    if unknown:
        message = (
            f"The asset_type parameter to the request is invalid. The {unknown} filters are not described in the "
            "settings.FILES_AND_UPLOAD_TYPE_FILTERS dictionary."
        )
        body = {"error": {"error_code": UnknownTypeFilter.code, "developer_message": message}}
        raise UnknownTypeFilter(message, body=body)
    if not types:
        return True
    kind = asset.content_type.partition(";")[0]
    return any(kind in TYPES[name] if name in TYPES else not any(kind in s for s in TYPES.values()) for name in types)


def _sort_key(asset: Asset, sort: str) -> tuple[str, datetime]:
    if sort in ("display_name", "displayname"):
        return (asset.display_name.lower(), asset.changed_at)
    if sort in ("content_type", "contentType"):
        return (asset.content_type, asset.changed_at)
    return ("", asset.changed_at)
