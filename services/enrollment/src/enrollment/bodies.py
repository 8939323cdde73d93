"""Reading request bodies by hand: upstream looks at who is asking before it looks at what is asked."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request

from common.errors import Invalid, UnsupportedMediaType
from common.values import has_nul

# nothing here is nested deeper than four; a text of a thousand levels could be read, and then not printed again
MAX_DEPTH: Final = 50
_FORM: Final = "application/x-www-form-urlencoded"


class UnreadableBody(Invalid):
    """The body is not JSON."""

    code = "parse_error"

    def __init__(self, reason: str) -> None:
        super().__init__(body={"detail": f"JSON parse error - {reason}", "error_code": self.code})


class UnreadableMediaType(UnsupportedMediaType):
    """Only JSON is read here."""

    def __init__(self, media_type: str) -> None:
        text = f'Unsupported media type "{media_type}" in request.'
        super().__init__(body={"detail": text, "error_code": self.code})


def is_deep(value: object) -> bool:
    """Whether a parsed JSON value is nested deeper than `MAX_DEPTH`."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for one in level
            for child in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def parse_json(text: bytes) -> object:
    """Raises `UnreadableBody`, also for a NUL in a string and for what is nested too deep."""
    if has_nul(text):
        raise UnreadableBody("NUL in a string")
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UnreadableBody(str(error)) from error
    if is_deep(parsed):
        raise UnreadableBody("nested too deep")
    return parsed


def _media_type(request: Request) -> tuple[str, str]:
    given = request.headers.get("content-type", "application/json")
    return given, given.partition(";")[0].strip().lower()


async def read_json(request: Request) -> object:
    """The body, which must be JSON. Raises `UnreadableBody`, `UnreadableMediaType`."""
    given, media_type = _media_type(request)
    if media_type not in ("application/json", ""):
        raise UnreadableMediaType(given)
    return parse_json(await request.body())


async def read_fields(request: Request) -> Mapping[str, object]:
    """The fields of a JSON object or of a form; of a form's repeated field the last value counts.

    What is neither an object nor a form has no fields. Raises `UnreadableBody`, `UnreadableMediaType`.
    """
    given, media_type = _media_type(request)
    if media_type == _FORM:
        text = (await request.body()).decode(errors="replace")
        pairs = parse_qsl(text, keep_blank_values=True, errors="replace")
        if any("\x00" in name or "\x00" in value for name, value in pairs):
            raise UnreadableBody("NUL in a string")
        return dict(pairs)
    if media_type not in ("application/json", ""):
        raise UnreadableMediaType(given)
    body = parse_json(await request.body() or b"{}")
    return body if isinstance(body, dict) else {}
