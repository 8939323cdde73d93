"""Studio's list of assets: what its parameters mean, and how it is printed. No I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

from starlette.datastructures import QueryParams

from common.keys import AssetKey, CourseKey
from content.assets.errors import BadParameter, UnknownTypeFilter
from content.assets.queries import Listing, Page, Wanted
from content.assets.serving import versioned_path
from content.thumbnails.models import is_drawn, is_its_own, thumbnail_name

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
OTHER = "OTHER"
PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
MAX_SEARCH = 1000
_MAX_PAGE = 10**12


@dataclass(frozen=True, slots=True)
class Question:
    """The parameters of a list, as they were given."""

    page: int
    size: int
    sort: str
    direction: str
    types: Sequence[str]
    text: str

    def page_of(self, total: int) -> int:
        """The page that is answered: behind the last one, that one."""
        return (total - 1) // self.size if self.page * self.size >= total > 0 else self.page

    @property
    def wanted(self) -> Wanted:
        known = sorted({kind for kinds in TYPES.values() for kind in kinds})
        kinds = sorted({kind for name in self.types for kind in TYPES.get(name, ())})
        return Wanted(
            kinds if self.types else None,
            OTHER in self.types,
            known,
            self.text.split(),
            self.sort,
            self.direction.lower() == "asc",
            self.page * self.size,
            self.size,
        )


def read_question(query: QueryParams) -> Question:
    """Raises `UnknownTypeFilter`, `BadParameter`."""
    given = query.get("asset_type", "")
    types = given.split(",") if given else []
    unknown = [name for name in types if name not in TYPES and name != OTHER]
    if unknown:
        message = (
            f"The asset_type parameter to the request is invalid. The {unknown} filters are not described in the "
            "settings.FILES_AND_UPLOAD_TYPE_FILTERS dictionary."
        )
        body = {"error": {"error_code": UnknownTypeFilter.code, "developer_message": message}}
        raise UnknownTypeFilter(message, body=body)
    text = query.get("text_search", "")
    if "\0" in text or len(text) > MAX_SEARCH:
        raise BadParameter(f"text_search is longer than {MAX_SEARCH} characters, or holds a NUL.")
    size = _number(query, "page_size", PAGE_SIZE)
    if size < 1:
        raise BadParameter("page_size is not a number above 0.")
    # people choose one order from a list, "display_name asc"
    sort, _, direction = query.get("sort", "date_added").partition(" ")
    return Question(
        page=min(max(0, _number(query, "page", 0)), _MAX_PAGE),
        size=min(size, MAX_PAGE_SIZE),
        sort=sort,
        direction=query.get("direction", "") or direction,
        types=types,
        text=text,
    )


def _number(query: QueryParams, name: str, default: int) -> int:
    text = query.get(name)
    if not text:
        return default
    try:
        return int(text[:40])
    except ValueError as error:
        raise BadParameter(f"{name} is not a number.") from error


def print_page(course: CourseKey, question: Question, page: Page, base: str) -> Json:
    """The page found, in Studio's words."""
    number = question.page_of(page.total)
    start = number * question.size
    return {
        "start": start,
        "end": start + len(page.lines),
        "page": number,
        "pageSize": question.size,
        "totalCount": page.total,
        "assets": [print_asset(course, line, base) for line in page.lines],
        "sort": question.sort,
        "direction": question.direction,
        "assetTypes": question.types,
        "textSearch": question.text,
    }


def print_asset(course: CourseKey, listing: Listing, base: str) -> Json:
    """Studio's asset object."""
    asset = listing.asset
    key = str(course.asset(asset.name))
    return {
        "display_name": asset.display_name,
        "content_type": asset.content_type,
        "date_added": asset.changed_at.astimezone(UTC).strftime("%b %d, %Y at %H:%M UTC"),
        "url": f"/{key}",
        "external_url": f"{base}/{key}",
        "portable_url": f"/static/{asset.name}",
        "thumbnail": thumbnail_path(course, listing),
        "locked": asset.locked,
        "static_full_url": f"/{key}" if asset.locked else versioned_path(asset.digest, course.asset(asset.name)),
        "id": key,
        "file_size": asset.size,
    }


def thumbnail_path(course: CourseKey, listing: Listing) -> str | None:
    """Where the asset's thumbnail is; None when it has none, or none yet."""
    asset = listing.asset
    if is_its_own(asset.content_type) or (listing.has_thumbnail and is_drawn(asset.content_type)):
        return f"/{AssetKey(course, thumbnail_name(asset.name, asset.content_type), 'thumbnail')}"
    return None
