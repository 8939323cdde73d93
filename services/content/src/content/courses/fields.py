"""The fields of a course that clients send, checked: what is stored is what will be understood when it is announced."""

import re
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from common.errors import Invalid
from content.courses.announcing import typed_setting
from content.events import CourseSettings

MAX_TEXT: Final = 1000
KNOWN: Final = frozenset(CourseSettings.model_fields)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_DATES: Final = frozenset(
    {"start", "end", "enrollment_start", "enrollment_end", "certificate_available_date", "announcement"}
)
_CHOICES: Final = {
    "catalog_visibility": ("both", "about", "none"),
    "course_visibility": ("private", "public_outline", "public"),
}


class UnexpectedField(Invalid):
    """This field is not expected."""

    code = "unexpected_field"


class BadSetting(Invalid):
    """Invalid data"""

    code = "invalid_data"


class BadDate(Invalid):
    """Invalid data (not a date)"""

    code = "bad_date"


def read_settings(given: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Settings for a course's root, the known ones each of its type; null stays null.

    Raises `UnexpectedField`, `BadSetting`, `BadDate`.
    """
    return {name: _read(name, value) for name, value in given.items()}


def _read(name: str, value: JsonValue) -> JsonValue:
    if not _NAME.fullmatch(name):
        raise UnexpectedField(f"{name[:100]}: This field is not expected.")
    if value is None or name not in KNOWN:
        return value
    typed = typed_setting(name, value)
    if name in _DATES:
        if not isinstance(typed, str):
            raise BadDate(f"Invalid data ({name} is not a date)")
        return typed
    if typed is None or (isinstance(value, str) and len(value) > MAX_TEXT):
        raise BadSetting(f"Invalid data ({name})")
    if isinstance(typed, str) and not isinstance(value, str):
        raise BadSetting(f"Invalid data ({name} is not a text)")
    if isinstance(value, list) and typed != value:
        raise BadSetting(f"Invalid data ({name} is not a list of texts)")
    if name in _CHOICES and typed not in _CHOICES[name]:
        raise BadSetting(f"Invalid data ({name} is none of {', '.join(_CHOICES[name])})")
    return value if isinstance(value, list | str) and not isinstance(typed, bool | int | float) else _json(typed)


def _json(value: object) -> JsonValue:
    return value if isinstance(value, bool | int | float | str) else None
