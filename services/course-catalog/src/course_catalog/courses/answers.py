"""JSON answers that database text is the body of, and the routes that give them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import orjson
import xxhash
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.app import add_plain_route
from common.conditional import names_tag

DEFAULT_PAGE, MAX_PAGE, MAX_IDS = 10, 100, 1000


def in_json(base: str) -> str:
    """A base URL as it stands inside a JSON string."""
    return orjson.dumps(base)[1:-1].decode()


def json_answer(request: Request, body: str, headers: Mapping[str, str] | None = None) -> Response:
    """The body with its entity tag, or 304 to whoever has it already."""
    content = body.encode()
    # no secret and no stranger's bytes: a hash that is fast is enough, and the others cost as much as the statement
    tag = f'"{xxhash.xxh3_128_hexdigest(content)}"'
    if names_tag(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers={**(headers or {}), "ETag": tag})
    return Response(content, headers={**(headers or {}), "ETag": tag}, media_type="application/json")


def parameter(name: str, description: str, kind: str = "string", *, required: bool = False) -> dict[str, object]:
    return {"name": name, "in": "query", "required": required, "description": description, "schema": {"type": kind}}


VIEW = parameter("username", "Whose view: oneself or, for global staff, anyone; everybody's when absent.")
PAGING = [
    parameter("page", "From 1.", "integer"),
    parameter("page_size", "Default 10.", "integer"),
    parameter("cursor", "From a `next` link: begin behind the last course of the page before, wherever it stands now."),
]
FILTERS = [
    parameter("org", "Only this organization, in any case."),
    parameter("mobile", "Only courses that are, or are not, available on mobile devices.", "boolean"),
    parameter("active_only", "No courses that have ended.", "boolean"),
    parameter("search_term", "Words, or how they begin: of name, number, organization, run or descriptions."),
    parameter("course_keys", "Only these courses; comma separated or repeated."),
    parameter("permissions", "Only courses where these are granted; comma separated or repeated."),
]


def documented(
    router: APIRouter,
    path: str,
    endpoint: Callable[[Request], Awaitable[Response]],
    model: type[object],
    parameters: Sequence[dict[str, object]],
) -> None:
    """A plain route answers; the same one again, behind it, describes it."""
    add_plain_route(router, path, endpoint)
    router.add_api_route(
        path,
        endpoint,
        methods=["GET"],
        response_model=None,
        responses={200: {"model": model}},
        openapi_extra={"parameters": list(parameters)},
    )
