"""The authoring REST API, version 0: the same logic behind strict bodies."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.database import WriteSession
from common.errors import Answer, NotAcceptable, developer_message_style
from common.identity import CallerDep
from common.keys import InvalidKey
from common.pages import prefers_html
from content.addresses import clean
from content.authoring.errors import LocationUnknown
from content.authoring.handling import Writing, delete_with_key, read_block, write_with_key, write_without_key
from content.authoring.schemas import CreatedBlock, StrictBlockIn
from content.authoring.targets import Target, read_usage
from content.bodies import json_answer, read_object
from content.items.routes import get_block
from content.versions.models import usage_of

PREFIX: Final = "/api/contentstore/v0"
router = APIRouter(prefix=PREFIX, tags=["authoring"])
_BODY: Final = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": StrictBlockIn.model_json_schema()}}}
}
_MARKS: Final = ("/block-v1:", "/lib-block-v1:", "/i4x:")


def authoring_style(answer: Answer) -> object:
    """The shape of this API's errors: upstream's for who may not, and with the handlers' `error` for all else."""
    body = developer_message_style(answer)
    return {**body, "error": answer.message} if isinstance(body, dict) and answer.status not in (401, 403) else body


@router.get("/heartbeat", summary="Is the API there?")
async def read_heartbeat() -> Response:
    """It is."""
    return json_answer({"status": "heartbeat successful"})


@router.post("/xblock/{place:path}", response_model=CreatedBlock, openapi_extra=_BODY, summary="Create or copy a block")
async def create_block_strictly(request: Request, place: str, session: WriteSession, caller: CallerDep) -> Response:
    """A new block, or with `duplicate_source_locator` a copy, in the course of the path."""
    writing = Writing(request, session, caller)
    target, block = await _target(writing, place)
    if block is not None:
        raise LocationUnknown(place)
    body = read_block(await read_object(request), StrictBlockIn)
    return await write_without_key(writing, body, "POST", target)


@router.get("/xblock/{place:path}", summary="A block")
async def read_block_strictly(request: Request, place: str, session: WriteSession, caller: CallerDep) -> Response:
    """Everything about a block of the course in the path."""
    if prefers_html(request):
        raise NotAcceptable
    _, block = await _target(Writing(request, session, caller), place)
    if block is None or block.block_id is None:
        raise LocationUnknown(place)
    return await get_block(request, block.text, caller)


@router.put("/xblock/{place:path}", openapi_extra=_BODY, summary="Change a block")
@router.patch("/xblock/{place:path}", openapi_extra=_BODY, summary="Change a block")
async def update_block_strictly(request: Request, place: str, session: WriteSession, caller: CallerDep) -> Response:
    """The same ten steps as Studio's handler."""
    writing = Writing(request, session, caller)
    _, block = await _target(writing, place)
    if block is None:
        raise LocationUnknown(place)
    body = read_block(await read_object(request), StrictBlockIn)
    return await write_with_key(writing, block, body)


@router.delete("/xblock/{place:path}", status_code=204, response_model=None, summary="Delete a block")
async def delete_block_strictly(request: Request, place: str, session: WriteSession, caller: CallerDep) -> Response:
    """Delete a block with all below it."""
    writing = Writing(request, session, caller)
    _, block = await _target(writing, place)
    if block is None:
        raise LocationUnknown(place)
    return await delete_with_key(writing, block, recurse=None, all_versions=False)


async def _target(writing: Writing, place: str) -> tuple[Target, Target | None]:
    """The course of the path, for its team, and the block behind it if there is one.

    Raises 401, `NotOnTeam`, `LocationUnknown` also for a block of another course.
    """
    place = place.strip("/")
    cut = min((place.find(mark) for mark in _MARKS if mark in place), default=len(place))
    course = await writing.target(place[:cut])
    usage = place[cut + 1 :]
    if not usage:
        return course, None
    try:
        if usage.startswith("i4x:"):
            usage = clean(usage)
            local = read_usage(usage, course.course)
            usage = usage_of(course.course, local) if local else usage
        block = await writing.target(usage)
    except InvalidKey as error:
        raise LocationUnknown(usage) from error
    if block.course != course.course:
        raise LocationUnknown(usage)
    return course, block
