"""Reading a mode's fields as upstream's serializer reads them, every bad one refused in its words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from course_catalog.modes import errors
from course_catalog.modes.errors import BadModeFields
from course_catalog.modes.models import PROFESSIONAL

_MOST_PRICE = 2**31 - 1
_TRUE, _FALSE = frozenset({"true", "True", "1", "t", "yes", "on"}), frozenset({"false", "False", "0", "f", "no", "off"})
Values = dict[str, object]


class _Bad(Exception):
    """The text of one field's refusal."""


@dataclass(frozen=True, slots=True)
class _Field:
    read: Callable[[object], object]
    required: bool = False


def _text(most: int, *, blank: bool = False) -> Callable[[object], str]:
    def read(value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise _Bad(errors.NOT_TEXT)
        text = str(value).strip()
        if not text and not blank:
            raise _Bad(errors.BLANK)
        if len(text) > most:
            raise _Bad(errors.TOO_LONG.format(most))
        if "\x00" in text:
            raise _Bad(errors.CONTROL)
        return text

    return read


def _price(value: object) -> int:
    """Whole numbers, also written as text or with decimals of zero."""
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > 40:
            raise ValueError
        number = float(value) if not isinstance(value, int) else value
        if number != int(number):
            raise ValueError
    except (ValueError, OverflowError) as error:
        raise _Bad(errors.NOT_WHOLE) from error
    if number < 0:
        raise _Bad(errors.TOO_SMALL)
    if number > _MOST_PRICE:
        raise _Bad(errors.TOO_LARGE)
    return int(number)


def _instant(value: object) -> datetime:
    try:
        if not isinstance(value, str) or len(value) < len("2026-01-01T00:00"):
            raise ValueError
        found = datetime.fromisoformat(value)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _Bad(errors.NOT_A_TIME) from error


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if str(value) in _TRUE | _FALSE and isinstance(value, str | int):
        return str(value) in _TRUE
    raise _Bad(errors.NOT_BOOLEAN)


def _currency(value: object) -> str:
    return _text(8)(value).lower()


_FIELDS: Mapping[str, _Field] = {
    "course_id": _Field(_text(255), required=True),
    "mode_slug": _Field(_text(100), required=True),
    "mode_display_name": _Field(_text(255), required=True),
    "currency": _Field(_currency, required=True),
    "min_price": _Field(_price),
    "expiration_datetime": _Field(_instant),
    "expiration_datetime_is_explicit": _Field(_boolean),
    "description": _Field(_text(10_000, blank=True)),
    "sku": _Field(_text(255, blank=True)),
    "bulk_sku": _Field(_text(255, blank=True)),
}
FIXED = ("course_id", "mode_slug")
# in a patch null is RFC 7396's way to take a value away
_REMOVABLE = frozenset({"expiration_datetime", "description", "sku", "bulk_sku"})


def read_new(given: Mapping[str, object]) -> Values:
    """The fields of a mode to make. Raises `BadModeFields`."""
    bad = {name: [errors.REQUIRED] for name, field in _FIELDS.items() if field.required and name not in given}
    values = _read(given, bad)
    if bad:
        raise BadModeFields(bad)
    if values.get("expiration_datetime") is not None and values["mode_slug"] in PROFESSIONAL:
        raise BadModeFields({"expiration_datetime": [errors.NO_EXPIRY]})
    return values


def read_changes(given: Mapping[str, object], *, slug: str) -> Values:
    """What a merge patch changes. Raises `BadModeFields`."""
    bad = {name: [errors.FIXED] for name in FIXED if name in given}
    removed: Values = {name: None for name in given if name in _REMOVABLE and given[name] is None}
    values = _read({name: value for name, value in given.items() if name not in {*FIXED, *removed}}, bad)
    if values.get("expiration_datetime") is not None and slug in PROFESSIONAL:
        bad["expiration_datetime"] = [errors.NO_EXPIRY]
    if bad:
        raise BadModeFields(bad)
    return values | removed


def _read(given: Mapping[str, object], bad: dict[str, list[str]]) -> Values:
    values: Values = {}
    for name, field in _FIELDS.items():
        if name not in given:
            continue
        try:
            if given[name] is None:
                raise _Bad(errors.NOT_NULL)
            values[name] = field.read(given[name])
        except _Bad as refusal:
            bad[name] = [str(refusal)]
    return values
