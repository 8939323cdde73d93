"""Publications: what learners read of a block. Our own API, below `/api/content/v1`."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from common.database import WriteSession, raw
from common.identity import CallerDep
from content.addresses import clean
from content.authoring.errors import LocationUnknown
from content.authoring.handling import Writing, answer, unknown_location
from content.bodies import json_answer, read_bytes
from content.once import once
from content.versions.branches import read_branch
from content.versions.editing import Edit
from content.versions.errors import BlockUnknown
from content.versions.models import DRAFT, PUBLISHED, usage_of
from content.versions.publishing import changed_blocks, discard, has_changes, publish, unpublish

router = APIRouter(prefix="/api/content/v1", tags=["publications"])
Operation = Callable[[Edit, str], Awaitable[None]]


class PublicationOut(BaseModel):
    """Where a course is after its publication changed."""

    block: str
    changed: bool
    draft_version: str
    published_version: str | None


class PublicationState(BaseModel):
    """What learners have of a block, and what they do not have yet."""

    block: str
    published: bool
    has_changes: bool
    changed_blocks: list[str]


@router.get("/publications/{place:path}", response_model=PublicationState, summary="Is a block published as it is?")
async def read_publication(request: Request, place: str, session: WriteSession, caller: CallerDep) -> Response:
    """Whether the block is published, whether anything from it down has changes, and which blocks; for the team."""
    writing = Writing(request, session, caller)
    target = await writing.target(clean(place))
    connection = await raw(session)
    draft = await read_branch(connection, target.course, DRAFT)
    published = await read_branch(connection, target.course, PUBLISHED)
    if draft is None or published is None:
        raise LocationUnknown(target.text)
    block_id = target.block_id or (await draft.root()).block_id
    subtree = await draft.subtree(block_id)
    was = await published.subtree(block_id)
    if not subtree and not was:
        raise LocationUnknown(target.text)
    changed = await changed_blocks(connection, target.course.canonical) if subtree else set()
    body = PublicationState(
        block=usage_of(target.course, block_id),
        published=block_id in was,
        has_changes=await has_changes(connection, target.course.canonical, block_id) if subtree else True,
        changed_blocks=[usage_of(target.course, child) for child in subtree if child in changed],
    )
    return json_answer(body.model_dump())


@router.post("/publications/{place:path}", response_model=PublicationOut, summary="Publish a block")
async def publish_block(request: Request, place: str, session: WriteSession, caller: CallerDep) -> Response:
    """Learners read from now on what the draft says, from this block down. `Idempotency-Key` may be given."""
    return await _change(Writing(request, session, caller), place, "publish", publish)


@router.delete("/publications/{place:path}", response_model=PublicationOut, summary="Take a block from learners")
async def unpublish_block(request: Request, place: str, session: WriteSession, caller: CallerDep) -> Response:
    """Learners no longer have this block and what is below it; the draft keeps it."""
    return await _change(Writing(request, session, caller), place, "unpublish", unpublish)


@router.post("/discards/{place:path}", response_model=PublicationOut, summary="Discard a block's changes")
async def discard_block(request: Request, place: str, session: WriteSession, caller: CallerDep) -> Response:
    """The draft is from this block down what learners read. `Idempotency-Key` may be given."""
    return await _change(Writing(request, session, caller), place, "discard", discard)


async def _change(writing: Writing, place: str, reason: str, operation: Operation) -> Response:
    async def run() -> Response:
        target = await writing.target(clean(place))
        edit = await writing.open(target, reason, published=reason == "unpublish")
        block_id = target.block_id or (await edit.draft.root()).block_id
        try:
            await operation(edit, block_id)
        except BlockUnknown as error:
            raise unknown_location(error, target) from error
        saved = await edit.save(writing.session)
        body = PublicationOut(
            block=usage_of(edit.course, block_id),
            changed=bool(saved),
            draft_version=saved.guid,
            published_version=saved.published_guid,
        )
        return answer(body.model_dump(), saved)

    request = writing.request
    if request.method != "POST":
        return await run()
    return await once(request, writing.session, writing.caller, await read_bytes(request), run)
