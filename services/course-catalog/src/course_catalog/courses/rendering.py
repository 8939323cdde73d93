"""A course as the course API spells it: the JSON item, made once per change and stored ready to send."""

import re
from datetime import UTC, datetime
from urllib.parse import quote

import orjson

from common.keys import CourseKey, clean_asset_name
from course_catalog.courses.facts import BASE_MARK, NO_START, CourseFacts
from course_catalog.listings.models import Marketing

NOTHING = Marketing()
DEFAULT_IMAGE = "images_course_image.jpg"
_TAG = re.compile(r"<(?:/?[A-Za-z][^<>]*|!--.*?--|![^<>]*|\?[^<>]*)>", re.DOTALL)
# removing a tag may make another whole (`<<b>b>`); a bound, since names have none
_NESTED = 8
_SPACES = re.compile(r"\s+")
_MONTHS = ("Jan.", "Feb.", "March", "April", "May", "June", "July", "Aug.", "Sept.", "Oct.", "Nov.", "Dec.")
_VIDEO = (
    re.compile(r"(?:embed/|youtu\.be/|[?&]v=|&amp;v=)([A-Za-z0-9_-]+)"),
    re.compile(r"(?:^|[\s\"',])\d+(?:\.\d+)?:([A-Za-z0-9_-]+)"),
    re.compile(r"\A\s*([A-Za-z0-9_-]{6,})\s*\Z"),
)
_ABSOLUTE = re.compile(r"(?:https?:)?//", re.IGNORECASE)


def without_tags(text: str) -> str:
    """The text with its tags removed and its spaces collapsed; a lone `<` stays, nothing is escaped."""
    for _ in range(_NESTED):
        stripped = _TAG.sub("", text)
        if stripped == text:
            break
        text = stripped
    return _SPACES.sub(" ", text).strip()


def iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    # not strftime: it writes the year 1 as one digit
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def start_display(advertised: str | None, start: datetime) -> tuple[str, str | None]:
    """(`start_type`, `start_display`), months as the Associated Press abbreviates them."""
    if advertised:
        return "string", advertised
    if start == NO_START:
        return "empty", None
    start = start.astimezone(UTC)
    return "timestamp", f"{_MONTHS[start.month - 1]} {start.day}, {start.year}"


def video_uri(about: str | None) -> str | None:
    """The watch page of the video that the course's about text embeds or names."""
    for pattern in _VIDEO:
        if found := pattern.search(about or ""):
            return f"http://www.youtube.com/watch?v={found[1]}"
    return None


def image_uri(key: CourseKey, image: str | None) -> str:
    """Where content serves an image that the course's settings name; an address elsewhere stays what it is."""
    name = image or DEFAULT_IMAGE
    if _ABSOLUTE.match(name):
        return name
    return f"/{key.asset(clean_asset_name(name.removeprefix('/static/').lstrip('/')))}"


def _absolute(uri: str) -> str:
    return uri if _ABSOLUTE.match(uri) else BASE_MARK + uri


def advertised(facts: CourseFacts, marketing: Marketing) -> CourseFacts:
    """The course with the catalogue's own texts and pictures in the place of its authors'."""
    texts = {name: getattr(marketing, name) for name in ("overview", "short_description", "effort", "video")}
    settings = {
        "display_name": marketing.name,
        "course_image": marketing.image,
        "banner_image": marketing.banner_image,
    }
    return facts.model_copy(
        update={
            "about": facts.about | {name: text for name, text in texts.items() if text is not None},
            "course": facts.course.model_copy(
                update={name: value for name, value in settings.items() if value is not None}
            ),
        }
    )


def render_item(facts: CourseFacts, marketing: Marketing = NOTHING) -> str:
    """The list item as JSON text, `BASE_MARK` standing for scheme and host wherever a URL is absolute."""
    facts = advertised(facts, marketing)
    key, course, about = facts.key, facts.course, facts.about
    image, banner = image_uri(key, course.course_image), image_uri(key, course.banner_image)
    start_type, shown = start_display(course.advertised_start, course.start_at)
    item = {
        "blocks_url": f"{BASE_MARK}/api/courses/v2/blocks/?course_id={quote(facts.shown_id, safe='')}",
        "effort": about.get("effort"),
        "end": iso(course.end),
        "enrollment_start": iso(course.enrollment_start),
        "enrollment_end": iso(course.enrollment_end),
        "id": facts.shown_id,
        "media": {
            "banner_image": {"uri": banner, "uri_absolute": _absolute(banner)},
            "course_image": {"uri": image},
            "course_video": {"uri": video_uri(about.get("video"))},
            "image": dict.fromkeys(("raw", "small", "large"), _absolute(image)),
        },
        "name": without_tags(course.name(key)),
        "number": course.display_coursenumber or key.course,
        "org": course.display_organization or key.org,
        "short_description": about.get("short_description"),
        "start": iso(course.start_at),
        "start_display": shown,
        "start_type": start_type,
        "pacing": "self" if course.self_paced else "instructor",
        "mobile_available": course.mobile_available,
        "hidden": course.visibility in {"about", "none"},
        "invitation_only": course.invitation_only,
        "course_id": facts.shown_id,
    }
    return orjson.dumps(item).decode()
