"""`/api/content/v1/history`, `…/versions`, `…/publish_state`, `…/revert`: for the team of a course and global staff."""

from urllib.parse import urlencode

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from common.app import raw_path
from common.database import WriteSession
from common.identity import CallerDep, request_base
from common.keys import CourseKey, InvalidKey, parse_guid
from common.resources import Resources
from content.bodies import if_match, parse_object, read_bytes
from content.history.diff import changed_fields, describe, needed_definitions
from content.history.errors import BadCursor, BadPageSize, BadRevert, BlockUnknown, NotOneBranch
from content.history.opening import get_block_id, open_place, open_version
from content.history.operations import revert_branch
from content.history.queries import (
    BranchHead,
    Form,
    Placed,
    Version,
    get_placed,
    list_differences,
    list_forms,
    list_versions,
)
from content.history.schemas import (
    BlockHistoryOut,
    BlockVersionOut,
    DiffOut,
    HistoryOut,
    OneVersionOut,
    PublishStateOut,
    RevertedOut,
    RevertIn,
    VersionOut,
)
from content.once import once
from content.versions.models import usage_of
from content.versions.operations import Author
from content.versions.queries import read_definitions

router = APIRouter(prefix="/api/content/v1", tags=["versions"])

_FIRST = 2**62


@router.get("/history/{place:path}", response_model=HistoryOut | BlockHistoryOut, summary="History")
async def get_history(
    request: Request, place: str, caller: CallerDep, cursor: str | None = None, page_size: str | None = None
) -> HistoryOut | BlockHistoryOut:
    """`…/{course}[/branch/{b}]` are the versions of a branch (the draft unless named), newest first; a block's address
    gives the versions in which that block came to be, changed or went."""
    resources: Resources = request.state.resources
    standing, where, branch = await open_place(resources, caller, place.strip("/"))
    before, size = _cursor(cursor), _size(page_size)
    if where.block is not None:
        block_id = await get_block_id(resources, branch, where)
        return await _block_history(request, standing.spelling, where.course, branch, block_id, before, size)
    found = await list_versions(resources.pool, branch, before=before, limit=size + 1)
    cursor = str(found[size - 1].number) if len(found) > size else None
    return HistoryOut(
        course_id=standing.spelling,
        branch=branch.name,
        head=branch.guid,
        count=branch.number,
        next_cursor=cursor,
        next=_next(request, cursor, size),
        results=[VersionOut(**_said(version, branch.name, branch.guid)) for version in found[:size]],
    )


async def _block_history(
    request: Request, spelling: str, course: CourseKey, branch: BranchHead, block_id: str, before: int, size: int
) -> BlockHistoryOut:
    pool = request.state.resources.pool
    # one more than is shown: the form before the last one, to say what that one changed
    found = await list_forms(pool, branch.id, block_id, before=before, limit=size + 1)
    if not found and before == _FIRST:
        raise BlockUnknown
    fields = await read_definitions(pool, {form.form.definition for form in found if form.form.definition})
    lines: list[BlockVersionOut] = []
    for index, form in enumerate(found[:size]):
        if form.removed is not None:
            lines.append(_line(course, branch, form.removed, form.form, "removed", []))
        earlier = found[index + 1] if index + 1 < len(found) else None
        stood = earlier.form if earlier is not None and earlier.until == form.since else None
        changes = [] if stood is None else changed_fields(course, stood, form.form, fields)
        if stood is not None and stood.parent != form.form.parent:
            changes.append({"scope": "parent", "field": "parent"})
        lines.append(_line(course, branch, form.version, form.form, "added" if stood is None else "changed", changes))
    cursor = str(found[size - 1].since) if len(found) > size else None
    return BlockHistoryOut(
        course_id=spelling,
        branch=branch.name,
        block=usage_of(course, block_id),
        next_cursor=cursor,
        next=_next(request, cursor, size),
        results=lines,
    )


def _line(
    course: CourseKey, branch: BranchHead, version: Version, form: Form, change: str, changes: list[dict[str, object]]
) -> BlockVersionOut:
    return BlockVersionOut.model_validate(
        _said(version, branch.name, branch.guid)
        | {
            "change": change,
            "changes": changes,
            "parent": usage_of(course, form.parent) if form.parent else None,
            "definition": f"def-v1:{form.definition.hex()}+type@{form.type}" if form.definition else None,
        }
    )


@router.get("/versions/{guid}", response_model=OneVersionOut, summary="A version")
async def get_version(request: Request, guid: str, caller: CallerDep) -> OneVersionOut:
    """Which branch it is of, and who made it, when, why and from what. Its tree is at `/course/version/{guid}`."""
    placed, _ = await open_version(request.state.resources, caller, guid)
    return _printed(placed)


@router.get("/versions/{guid}/diff", response_model=DiffOut, summary="What a version changed")
async def get_diff(request: Request, guid: str, caller: CallerDep) -> DiffOut:
    """Against its predecessor, or against the version in `from`, of whatever branch or course."""
    resources: Resources = request.state.resources
    after, course = await open_version(resources, caller, guid)
    other = request.query_params.get("from")
    if other is not None:
        before, _ = await open_version(resources, caller, other)
    elif after.version.previous is not None:
        before = await get_placed(resources.pool, after.version.previous)
    else:
        before = None  # the first version of a branch: everything in it is new
    pairs = await list_differences(resources.pool, before, after)
    fields = await read_definitions(resources.pool, needed_definitions(pairs))
    return DiffOut.model_validate(
        {"before": _printed(before) if before else None, "after": _printed(after)} | describe(course, pairs, fields)
    )


@router.get("/publish_state/{place:path}", response_model=PublishStateOut, summary="What is not published yet")
async def get_publish_state(request: Request, place: str, caller: CallerDep) -> PublishStateOut:
    """Both heads of a course, and everything in which they differ: `added` is not published yet, `removed` still is."""
    resources: Resources = request.state.resources
    standing, where, _ = await open_place(resources, caller, place.strip("/"))
    pairs = []
    if standing.draft is not None and standing.published is not None:
        published = await get_placed(resources.pool, standing.published)
        draft = await get_placed(resources.pool, standing.draft)
        pairs = await list_differences(resources.pool, published, draft)
    fields = await read_definitions(resources.pool, needed_definitions(pairs))
    return PublishStateOut.model_validate(
        {
            "course_id": standing.spelling,
            "draft": standing.draft,
            "published": standing.published,
            "has_changes": bool(pairs),
        }
        | describe(where.course, pairs, fields)
    )


@router.post("/revert/{place:path}", response_model=RevertedOut, summary="Go back to a version")
async def post_revert(request: Request, place: str, session: WriteSession, caller: CallerDep) -> Response:
    """The branch (the draft unless named) becomes what the version in the body was, as a new version. `If-Match` names
    the head it is meant for."""
    data = await read_bytes(request)

    async def perform() -> Response:
        resources: Resources = request.state.resources
        standing, where, branch = await open_place(resources, caller, place.strip("/"))
        if where.block is not None:
            raise NotOneBranch
        try:
            guid = parse_guid(RevertIn.model_validate(parse_object(data)).version)
        except (ValidationError, InvalidKey) as error:
            raise BadRevert from error
        author = Author(caller.user_id, caller.username, "revert", {"version": guid})
        saved = await revert_branch(session, where.course, branch.name, guid, author, if_match=if_match(request))
        done = RevertedOut(
            course_id=standing.spelling,
            version=saved.guid,
            published_version=saved.published_guid,
            changed=sorted(saved.changed),
        )
        return Response(done.model_dump_json(), media_type="application/json")

    return await once(request, session, caller, data, perform)


def _said(version: Version, branch: str, head: str) -> dict[str, object]:
    return {
        "version": version.guid,
        "number": version.number,
        "branch": branch,
        "previous": version.previous,
        "original": version.original,
        "edited_by": version.editor,
        "user_id": version.edited_by,
        "edited_on": version.edited_on,
        "reason": version.reason,
        "source": version.source,
        "is_head": version.guid == head,
    }


def _printed(placed: Placed) -> OneVersionOut:
    said = _said(placed.version, placed.branch, placed.version.guid if placed.is_head else "")
    return OneVersionOut.model_validate(said | {"course_id": placed.course_key})


def _cursor(text: str | None) -> int:
    if text is None:
        return _FIRST
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise BadCursor
    return int(text)


def _size(text: str | None) -> int:
    if text is None:
        return 50
    if not text.isascii() or not text.isdigit() or len(text) > 3 or not 1 <= int(text) <= 500:
        raise BadPageSize
    return int(text)


def _next(request: Request, cursor: str | None, size: int) -> str | None:
    if cursor is None:
        return None
    query = urlencode({"cursor": cursor, "page_size": size})
    return f"{request_base(request)}{raw_path(request)}?{query}"
