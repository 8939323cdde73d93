"""JSON bodies at the border of the service, read and written, and the versions that a request's headers name."""

import re
from collections.abc import Mapping
from typing import Final

import orjson
from pydantic import JsonValue
from starlette.requests import Request
from starlette.responses import Response

from common.conditional import names_tag
from common.errors import Invalid, TooLarge
from common.values import has_nul

MAX_BODY: Final = 10_000_000
MAX_DEPTH: Final = 100
_TAG = re.compile(r'(?:W/)?"([^"]*)"|\*|[\w-]+')
# Beyond this PostgreSQL prints a number without a fraction as a whole one.
_WHOLE: Final = 1e15
_TOO_BIG: Final = 2.0**63


class NotJson(Invalid):
    """The body is not JSON."""

    code = "malformed"


async def read_object(request: Request, *, limit: int = MAX_BODY) -> dict[str, JsonValue]:
    """The body, a JSON object; an empty body is an empty object. Raises `TooLarge`, `NotJson`."""
    return parse_object(await read_bytes(request, limit=limit))


def parse_object(data: bytes) -> dict[str, JsonValue]:
    """The same of bytes. Raises `NotJson`."""
    if not data.strip():
        return {}
    value = parse_json(data)
    if not isinstance(value, dict):
        raise NotJson("The body is not a JSON object.")
    return value


async def read_bytes(request: Request, *, limit: int = MAX_BODY) -> bytes:
    """The body, as long as it is no longer than *limit*. Raises `TooLarge`."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"The body is larger than {limit:,} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


def parse_json(data: bytes) -> JsonValue:
    """JSON that can be stored: no NUL, no endless depth, and numbers as the database will give them back.

    Raises `NotJson`.
    """
    if has_nul(data) or b"\0" in data:
        raise NotJson("The body holds a NUL character, which cannot be stored.")
    try:
        value: JsonValue = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise NotJson(f"The body is not JSON: {error}.") from error
    return _settled(value, MAX_DEPTH)


def _settled(value: JsonValue, depth: int) -> JsonValue:
    if depth == 0:
        raise NotJson(f"The body is nested more than {MAX_DEPTH} levels deep.")
    if isinstance(value, dict):
        return {name: _settled(inner, depth - 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_settled(inner, depth - 1) for inner in value]
    if isinstance(value, float):
        # the parser has made a fraction of a whole number beyond 64 bits, and lost its last digits
        if abs(value) >= _TOO_BIG:
            raise NotJson("The body holds a number that is too big to be kept.")
        return int(value) if abs(value) >= _WHOLE else value or 0.0
    return value


def is_known(request: Request, etag: str) -> bool:
    """Does the caller who reads have what this tag names, by `If-None-Match`?"""
    if request.method not in ("GET", "HEAD"):
        return False
    return names_tag(",".join(request.headers.getlist("if-none-match")), etag)


def if_match(request: Request) -> list[str] | None:
    """The versions that `If-Match` names (`*` is any); None without the header.

    The tag of a block or course as it was read is a version and, behind a point, what was said of it.
    """
    given = request.headers.getlist("if-match")
    if not given:
        return None
    return [
        found.group(1).partition(".")[0] if found.group(1) is not None else found.group(0)
        for found in _TAG.finditer(",".join(given))
    ]


def json_answer(body: object, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), headers=headers, media_type="application/json")
