"""What a client may say about a course, read from its body. No I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from common.errors import Invalid
from common.keys import CourseKey, InvalidKey, parse_guid, short_branch
from content.courses.fields import KNOWN, BadSetting, UnexpectedField, read_settings
from content.versions.models import DRAFT, LIBRARY, PUBLISHED

_ABOUT = re.compile(r"[a-z][a-z0-9_]{0,99}")
_IDENTITY = frozenset({"id", "course_key", "dotted_id", "org", "number", "run"})
# What reading a course prints and writing it leaves alone, so that what was read can be sent back.
_READ_ONLY = frozenset(
    {
        "url", "category", "branch", "has_children", "edited_on", "edited_by", "root", "tree", "locator", "child_info",
        "visibility_state", "graded", "due", "due_date", "format", "released_to_students", "release_date", "children",
        "definition", "published", "published_on", "published_by", "studio_url", "lms_url", "has_changes", "actions",
        "has_explicit_staff_lock", "ancestor_has_staff_lock", "group_access", "user_partitions", "show_correctness",
        "hide_from_toc", "xml_attributes", "explanatory_message", "data", "xblock_type", "embed_lms_url",
        "relative_weeks_due", "course_graders", "user_partition_info", "discussion_enabled", "highlights",
        "highlights_enabled", "highlights_enabled_for_messaging",
    }
)  # fmt: skip


class IdentityFixed(Invalid):
    """A course keeps its organization, number and run."""

    code = "identity_fixed"


@dataclass(frozen=True, slots=True)
class CourseChanges:
    """`settings` and `about` hold what is to be (null: not set), `expected` the heads the client knows by branch."""

    settings: Mapping[str, JsonValue]
    about: Mapping[str, str | None]
    expected: Mapping[str, str]
    head: str | None


def read_changes(course: CourseKey, body: Mapping[str, JsonValue], *, branch: str) -> CourseChanges:
    """Raises `IdentityFixed`, `UnexpectedField`, `BadSetting`, `BadDate`."""
    settings: dict[str, JsonValue] = {}
    expected: dict[str, str] = {}
    for name, value in body.items():
        if name in _IDENTITY:
            if not _is_of(course, name, value):
                raise IdentityFixed(f"{name}: A course keeps its organization, number and run.")
        elif name in ("fields", "metadata"):
            if not isinstance(value, dict):
                raise BadSetting(f"Invalid data ({name} is not an object)")
            settings |= value
        elif name == "version":
            expected[branch] = _guid(name, value)
        elif name == "versions":
            expected |= _versions(value)
        elif name in KNOWN:
            settings[name] = value
        elif name not in _READ_ONLY and name not in ("about", "head"):
            raise UnexpectedField(f"{name[:100]}: This field is not expected.")
    head = body.get("head")
    return CourseChanges(
        read_settings(settings),
        _about(body.get("about")),
        expected,
        None if head is None else _guid("head", head),
    )


def _is_of(course: CourseKey, name: str, value: JsonValue) -> bool:
    parts = {"dotted_id": course.dotted, "org": course.org, "number": course.course, "run": course.run}
    if name in parts:
        return value == parts[name]
    try:
        return isinstance(value, str) and CourseKey.parse(value) == course
    except InvalidKey:
        return False


def _guid(name: str, value: JsonValue) -> str:
    try:
        return parse_guid(value if isinstance(value, str) else "")
    except InvalidKey as error:
        raise BadSetting(f"Invalid data ({name} is not the guid of a version)") from error


def _versions(value: JsonValue) -> dict[str, str]:
    if not isinstance(value, dict):
        raise BadSetting("Invalid data (versions is not an object)")
    found = {short_branch(name): _guid("versions", guid) for name, guid in value.items() if guid is not None}
    if unknown := found.keys() - {DRAFT, PUBLISHED, LIBRARY}:
        raise BadSetting(f"Invalid data (there is no branch {min(unknown)[:100]})")
    return found


def _about(value: JsonValue) -> dict[str, str | None]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise BadSetting("Invalid data (about is not an object)")
    texts: dict[str, str | None] = {}
    for name, text in value.items():
        if not _ABOUT.fullmatch(name):
            raise UnexpectedField(f"about.{name[:100]}: This field is not expected.")
        if text is not None and not isinstance(text, str):
            raise BadSetting(f"Invalid data (about.{name} is not a text)")
        texts[name] = text
    return texts
