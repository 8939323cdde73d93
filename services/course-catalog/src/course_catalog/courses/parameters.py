"""Query strings of the course API, read as upstream does: the last value counts, a bad one is refused by field."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from common.keys import CourseKey, InvalidKey
from course_catalog.courses.cursors import Cursor
from course_catalog.courses.errors import (
    BAD_BOOLEAN,
    BAD_CURSOR,
    EMPTY_MEMBER,
    NUL,
    REQUIRED,
    BadParameters,
    bad_course_key,
)
from course_catalog.courses.listing import Filters
from course_catalog.courses.statements import PERMISSIONS

_BOOLEANS: Mapping[str, bool | None] = {
    "": None,
    "True": True,
    "true": True,
    "1": True,
    "False": False,
    "false": False,
    "0": False,
}
ROLES = ("staff", "instructor")
NO_FILTERS = Filters()


class Parameters:
    """The parameters of one request."""

    def __init__(self, query: str) -> None:
        self._pairs: Sequence[tuple[str, str]] = parse_qsl(query, keep_blank_values=True) if query else ()
        self._last: Mapping[str, str] = dict(self._pairs)

    def text(self, name: str, errors: dict[str, str] | None = None) -> str:
        """The last value, or nothing. One with a NUL is noted in *errors*; without, raises `BadParameters`."""
        value = self._last.get(name, "")
        if "\x00" not in value:
            return value
        if errors is None:
            raise BadParameters(**{name: NUL})
        errors[name] = NUL
        return ""

    def page(self) -> tuple[str | None, str | None]:
        return self._last.get("page"), self._last.get("page_size")

    def cursor(self, errors: dict[str, str]) -> Cursor | None:
        if not (text := self._last.get("cursor")):
            return None
        try:
            return Cursor.parse(text)
        except ValueError:
            errors["cursor"] = BAD_CURSOR
            return None

    def flag(self, name: str, errors: dict[str, str]) -> bool | None:
        try:
            return _BOOLEANS[self._last.get(name, "")]
        except KeyError:
            errors[name] = BAD_BOOLEAN
            return None

    def members(self, name: str, errors: dict[str, str]) -> Sequence[str]:
        """The values of all repetitions, split at commas, each once."""
        joined = ",".join(value for key, value in self._pairs if key == name)
        members = set(joined.split(",")) if joined else set()
        if "" in members:
            errors[name] = EMPTY_MEMBER
        return sorted(members)


def read_filters(parameters: Parameters) -> Filters:
    """What a list request asks for. Raises `BadParameters`, naming every bad one."""
    errors: dict[str, str] = {}
    mobile, active = parameters.flag("mobile", errors), parameters.flag("active_only", errors)
    parameters.flag("mobile_search", errors)
    permissions = parameters.members("permissions", errors)
    unknown = [name for name in permissions if name not in PERMISSIONS]
    if unknown and "permissions" not in errors:
        errors["permissions"] = f"'{unknown[0]}' is not a known permission."
    keys = _keys(parameters.members("course_keys", errors), errors)
    org, search = parameters.text("org", errors), parameters.text("search_term", errors)
    parameters.text("username", errors)
    if errors:
        raise BadParameters(**errors)
    return Filters(
        org=org or None,
        mobile=mobile,
        active_only=active is True,
        search=search.strip() or None,
        keys=keys,
        permissions=tuple(permissions),
    )


def _keys(texts: Sequence[str], errors: dict[str, str]) -> tuple[str, ...] | None:
    if not texts or "course_keys" in errors:
        return None
    found = set()
    for text in texts:
        try:
            # no key has a space: one that arrives is a plus sign that was not escaped
            found.add(CourseKey.parse(text.replace(" ", "+")).canonical)
        except InvalidKey:
            errors["course_keys"] = bad_course_key(text)
            return None
    return tuple(sorted(found))


def read_cursor(parameters: Parameters) -> Cursor | None:
    """Where a `next` link of ours points. Raises `BadParameters`."""
    errors: dict[str, str] = {}
    cursor = parameters.cursor(errors)
    if errors:
        raise BadParameters(**errors)
    return cursor


def read_role(parameters: Parameters) -> str:
    """The role a request for course ids must name. Raises `BadParameters` when there is none."""
    if not (role := parameters.text("role")):
        raise BadParameters(role=REQUIRED)
    return role
