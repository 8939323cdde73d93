"""Request bodies, read with care: what PostgreSQL cannot store, and what is no JSON object, is refused by name."""

from collections.abc import Collection, Mapping
from typing import Annotated, TypeVar

import orjson
from pydantic import AfterValidator, BaseModel, StringConstraints, ValidationError
from starlette.requests import Request

from common.errors import Invalid, UnsupportedMediaType

JSON = ("application/json",)
MERGE_PATCH = "application/merge-patch+json"
MOST_BYTES = 1_000_000
_DEEPEST = 30

M = TypeVar("M", bound=BaseModel)


class UnreadableBody(Invalid):
    """The body is not a JSON object."""

    code = "unreadable_body"


class BadFields(Invalid):
    """The request is not valid."""

    code = "invalid_fields"


def _storable(text: str) -> str:
    # NUL cannot be stored; DEL stands for the base URL in rendered items
    if "\x00" in text or "\x7f" in text:
        raise ValueError("control characters are not allowed")
    return text


Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=255), AfterValidator(_storable)]
Title = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255), AfterValidator(_storable)
]
Text = Annotated[str, StringConstraints(max_length=200_000), AfterValidator(_storable)]


async def read_object(request: Request, types: Collection[str] = JSON) -> dict[str, object]:
    """The body. Raises `UnsupportedMediaType`, `UnreadableBody`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in types:
        raise UnsupportedMediaType(f'Unsupported media type "{kind}" in request.')
    body = await request.body()
    if len(body) > MOST_BYTES:
        raise UnreadableBody("The body is too large.")
    try:
        parsed = orjson.loads(body)  # refuses NaN, lone surrogates and endless depth
    except orjson.JSONDecodeError as error:
        raise UnreadableBody(f"JSON parse error - {error}") from error
    if not isinstance(parsed, dict):
        raise UnreadableBody
    if not _is_shallow(parsed, _DEEPEST):
        raise UnreadableBody("The body is nested too deeply.")
    return parsed


def _is_shallow(value: object, left: int) -> bool:
    if left == 0:
        return False
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(_is_shallow(part, left - 1) for part in parts)


def checked(model: type[M], given: Mapping[str, object]) -> M:
    """*given* as a model. Raises `BadFields`, naming each bad field."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise BadFields(field_errors=field_errors(error)) from error


def field_errors(error: ValidationError) -> dict[str, dict[str, str]]:
    fields: dict[str, dict[str, str]] = {}
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        fields.setdefault(".".join(map(str, item["loc"])) or "body", {"developer_message": item["msg"]})
    return fields


def merged(target: object, patch: object) -> object:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
