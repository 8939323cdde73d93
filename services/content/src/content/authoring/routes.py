"""`/xblock` and `/item`, written: Studio's handlers and the addresses of 2013, also below `/api/content/v1`."""

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from common.database import WriteSession
from common.errors import Unauthorized
from common.identity import Caller, CallerDep, request_base
from content.addresses import clean
from content.authoring.errors import OnlyCreation, TextRefusal
from content.authoring.handling import Writing, delete_with_key, read_block, write_with_key, write_without_key
from content.authoring.schemas import BlockIn, CreatedBlock
from content.bodies import parse_object, read_bytes
from content.once import OWN, once

router = APIRouter(tags=["authoring"])

_BODY: Final = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": BlockIn.model_json_schema()}}}
}
_PREFIXES: Final = ("/xblock", "/item", "/api/content/v1/xblock", "/api/content/v1/item")


async def write_new(request: Request, session: WriteSession, caller: CallerDep) -> Response:
    """Create a block (`parent_locator`, `category`), copy one (`duplicate_source_locator`), or (PATCH) move one."""

    async def write(writing: Writing, body: BlockIn) -> Response:
        return await write_without_key(writing, body, request.method)

    return await _write(request, session, caller, write)


async def write_block(request: Request, session: WriteSession, caller: CallerDep, place: str) -> Response:
    """Change a block; at the address of a course, create one in it."""

    async def write(writing: Writing, body: BlockIn) -> Response:
        target = await writing.target(clean(place))
        if target.block_id is None:
            return await write_without_key(writing, body, request.method, target)
        return await write_with_key(writing, target, body)

    return await _write(request, session, caller, write)


async def delete_block(
    request: Request,
    session: WriteSession,
    caller: CallerDep,
    place: str,
    recurse: bool | None = None,
    all_versions: bool = False,
) -> Response:
    """Delete a block with all below it; on the published branch, take it away from learners.

    `recurse=false` refuses when it has children, `all_versions=true` deletes what is published as well at once.
    """

    async def run() -> Response:
        writing = Writing(request, session, caller)
        target = await writing.target(clean(place))
        return await delete_with_key(writing, target, recurse=recurse, all_versions=all_versions)

    return await _plain(request, run)


async def no_key(request: Request, caller: CallerDep) -> Response:
    """There is no list of all blocks, and nothing to delete without a key."""

    async def run() -> Response:
        if caller.is_anonymous:
            raise Unauthorized
        raise OnlyCreation

    return await _plain(request, run)


for _prefix in _PREFIXES:
    _own = _prefix.startswith(OWN)
    for _path in (_prefix, f"{_prefix}/"):
        router.add_api_route(
            _path, write_new, methods=["POST", "PUT", "PATCH"], response_model=CreatedBlock, openapi_extra=_BODY,
            summary="Create, copy or move a block", include_in_schema=not _path.endswith("/"),
            status_code=201 if _own else 200,
        )  # fmt: skip
        router.add_api_route(_path, no_key, methods=["GET", "DELETE"], include_in_schema=False)
    router.add_api_route(
        f"{_prefix}/{{place:path}}", write_block, methods=["POST", "PUT", "PATCH"], openapi_extra=_BODY,
        response_model=None, summary="Change a block",
    )  # fmt: skip
    router.add_api_route(
        f"{_prefix}/{{place:path}}", delete_block, methods=["DELETE"], status_code=204, response_model=None,
        summary="Delete a block",
    )  # fmt: skip


async def _write(
    request: Request, session: WriteSession, caller: Caller, write: Callable[[Writing, BlockIn], Awaitable[Response]]
) -> Response:
    if caller.is_anonymous:
        raise Unauthorized
    data = await read_bytes(request)

    async def run() -> Response:
        written = await write(Writing(request, session, caller), read_block(parse_object(data)))
        place = written.headers.get("location")
        if place is not None and request.url.path.startswith(OWN):
            written.status_code = 201
            written.headers["Location"] = f"{request_base(request)}/api/content/v1{place}"
        elif place is not None:
            del written.headers["Location"]
        return written

    async def kept() -> Response:
        return await once(request, session, caller, data, run) if request.method == "POST" else await run()

    return await _plain(request, kept)


async def _plain(request: Request, run: Callable[[], Awaitable[Response]]) -> Response:
    """Studio says some of its refusals in plain text; our own paths say them as all the others."""
    try:
        return await run()
    except TextRefusal as refusal:
        if request.url.path.startswith(OWN):
            raise
        # nothing is written before such a refusal, so the transaction that is committed now is empty
        return PlainTextResponse(refusal.message, refusal.status)
