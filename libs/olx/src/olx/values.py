"""Settings as XML attributes: text to value and back, so that every value survives the way out and in again.

An attribute is text; a setting has a type. Well-known settings are read by their type, any other by the look of its
text, and only where writing the value would give that very text again. A JSON string literal stands for its content:
this is how a text that looks like something else (`"5"`, `"true"`) is written.
"""

import re
from typing import Final

import orjson

from olx.setting_names import BOOLEANS, NUMBERS, TEXTS

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?(?:[eE][-+]?\d{1,2})?")
_LONG_DIGITS = re.compile(r"\d{19}")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MAX_NESTING: Final = 100


def decode(name: str, text: str) -> Json:
    """The value of attribute `name`."""
    if text == "null":
        return None
    if text.startswith('"'):
        literal = load_json(text)
        return literal if isinstance(literal, str) else text
    if name in BOOLEANS:
        return coerce(name, text)
    if name in NUMBERS:
        return coerce(name, text)
    if name in TEXTS:
        return text
    return _decode_unknown(text)


def _decode_unknown(text: str) -> Json:
    first = text[:1]
    if text in ("true", "false"):
        return text == "true"
    if first in ("[", "{"):
        # A number of that many digits would lose some.
        value = None if _LONG_DIGITS.search(text) else load_json(text)
        return text if value is None else value
    if first and first in "-0123456789" and _NUMBER.fullmatch(text):
        value = orjson.loads(text)
        return value if orjson.dumps(value).decode() == text else text
    return text


def coerce(name: str, value: Json) -> Json:
    """The value of a setting from a policy file, where `"true"` and `"10"` are often written as texts."""
    if not isinstance(value, str):
        return value
    if name in BOOLEANS:
        return {"true": True, "false": False}.get(value.strip().lower(), value)
    if name in NUMBERS:
        if not value.strip():
            return None
        if _NUMBER.fullmatch(value.strip()):
            number: Json = orjson.loads(value.strip())
            return number
    return value


def encode(name: str, value: Json) -> str:
    """The text of an attribute that `decode` reads as this value, if `fits_attribute`."""
    if isinstance(value, str):
        if _NOT_XML.search(value) is None and decode(name, value) == value:
            return value
        return ascii_json(value)
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return text if _NOT_XML.search(text) is None else ascii_json(value)


def fits_attribute(name: str, value: Json) -> bool:
    """Would the value come back? A number in a setting known to be a text would not, for one."""
    again = decode(name, encode(name, value))
    if isinstance(value, str):
        return again == value
    return _canonical(again) == _canonical(value)


def _canonical(value: Json) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def ascii_json(value: Json) -> str:
    """JSON with everything outside ASCII escaped, for what XML cannot hold."""
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return _NOT_XML.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def is_xml_text(text: str) -> bool:
    return _NOT_XML.search(text) is None


def load_json(text: str | bytes) -> Json:
    """Read JSON that can be stored and written again; None when it is not (so `null` is None as well).

    Refused besides bad syntax: NUL characters and lone surrogates (no database holds them), and nesting no reader
    after us would follow.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if b"\\u0000" in raw:
        return None
    try:
        value: Json = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return value if _depth(value) <= _MAX_NESTING else None


def _depth(value: Json) -> int:
    depth = 0
    level: list[Json] = [value]
    while level:
        below: list[Json] = []
        for item in level:
            if isinstance(item, list):
                below.extend(item)
            elif isinstance(item, dict):
                below.extend(item.values())
        if not below or depth > _MAX_NESTING:
            return depth
        depth += 1
        level = below
    return depth
