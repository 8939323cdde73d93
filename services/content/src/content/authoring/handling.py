"""Studio's dispatch: what each method with each body does, whichever face of the API it came through."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from pydantic import JsonValue, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from common.database import raw
from common.errors import Invalid
from common.identity import Caller
from content.addresses import in_header
from content.authoring.errors import FieldRequired, InvalidData, LocationUnknown, NoPatch, OnlyCreation
from content.authoring.operations.creating import create_block
from content.authoring.operations.deleting import delete_block
from content.authoring.operations.duplicating import duplicate_block
from content.authoring.operations.moving import move_block
from content.authoring.operations.updating import DISCARD, update_block
from content.authoring.schemas import BlockIn
from content.authoring.targets import Target, find_target, main_branch, open_target
from content.items.parts import print_grader
from content.versions.branches import Block, BranchEdit, read_branch
from content.versions.editing import Edit, Saved
from content.versions.errors import BlockUnknown, VersionConflict
from content.versions.models import PUBLISHED, local_id, usage_of
from content.versions.publishing import unpublish

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Writing:
    """One request that writes."""

    request: Request
    session: AsyncSession
    caller: Caller

    async def target(self, text: str) -> Target:
        return await find_target(await raw(self.session), self.caller, text)

    async def open(self, target: Target, reason: str, *, published: bool = False) -> Edit:
        return await open_target(self.session, self.request, self.caller, target, reason, published=published)


def read_block(body: Mapping[str, JsonValue], model: type[BlockIn] = BlockIn) -> BlockIn:
    """Raises `Invalid`, with a text for each field that is wrong."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        fields = {str(item["loc"][0]): _words(item["type"], item["msg"]) for item in error.errors()}
        name, words = next(iter(fields.items()))
        details = {field: {"developer_message": text} for field, text in fields.items()}
        raise Invalid(f"{name}: {words}", code="invalid", field_errors=details) from error


def _words(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "This field is not expected."
    return (
        f"{message.removeprefix('Input should be ').capitalize()} is expected."
        if "Input should" in message
        else message
    )


async def write_without_key(writing: Writing, body: BlockIn, method: str, within: Target | None = None) -> Response:
    """Create, duplicate, or (PATCH) move; *within* is the course that the address named, if it named one."""
    if method == "PATCH":
        if body.move_source_locator is None:
            raise NoPatch
        return await _move(writing, body)
    if body.duplicate_source_locator is not None:
        return await _duplicate(writing, body, within)
    return await _create(writing, body, within)


async def write_with_key(writing: Writing, target: Target, body: BlockIn) -> Response:
    """Update the block."""
    if target.block_id is None:
        raise LocationUnknown(target.text)
    edit = await writing.open(target, _reason(body))
    try:
        block = await update_block(edit, target.block_id, body)
        fields = await edit.fields_of(block)
    except BlockUnknown as error:
        raise unknown_location(error, target) from error
    saved = await edit.save(writing.session)
    key = usage_of(edit.course, block.block_id)
    if body.publish == DISCARD:
        return answer({"id": key}, saved)
    said: Json = {"id": key, "data": fields.get("data"), "metadata": block.settings}
    if body.grader_type is not None:
        said |= print_grader(key, block.settings)
    if body.is_prereq is not None:
        said["is_prereq"] = block.settings.get("is_prereq", False)
    return answer(said, saved)


async def delete_with_key(writing: Writing, target: Target, *, recurse: bool | None, all_versions: bool) -> Response:
    """Delete the block; at an address on the published branch, take it away from learners only."""
    if target.block_id is None:
        raise OnlyCreation
    edit = await writing.open(target, "unpublish" if target.branch == PUBLISHED else "delete", published=True)
    try:
        if target.branch == PUBLISHED:
            await unpublish(edit, target.block_id)
        else:
            await delete_block(edit, target.block_id, recurse=recurse, all_versions=all_versions)
    except BlockUnknown as error:
        raise unknown_location(error, target) from error
    saved = await edit.save(writing.session)
    return Response(status_code=204, headers={"ETag": f'"{saved.guid}"'})


def answer(body: Json, saved: Saved, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON, with the version that the course is at now."""
    return Response(
        orjson.dumps(body), status, {**(headers or {}), "ETag": f'"{saved.guid}"'}, media_type="application/json"
    )


async def _create(writing: Writing, body: BlockIn, within: Target | None) -> Response:
    parent = await _parent(writing, body, within)
    edit = await writing.open(parent, "create")
    try:
        parent_id = parent.block_id or (await edit.draft.root()).block_id
        block = await create_block(edit, parent_id, body)
    except BlockUnknown as error:
        raise unknown_location(error, parent) from error
    return await _created(writing, edit, parent, block)


async def _duplicate(writing: Writing, body: BlockIn, within: Target | None) -> Response:
    parent = await _parent(writing, body, within)
    source = await writing.target(body.duplicate_source_locator or "")
    edit = await writing.open(parent, "duplicate")
    branch = await _source_branch(edit, source)
    try:
        parent_id = parent.block_id or (await edit.draft.root()).block_id
        block = await duplicate_block(edit, branch, source.block_id or "", parent_id, body.display_name)
    except BlockUnknown as error:
        raise unknown_location(error, source if error.block_id == source.block_id else parent) from error
    return await _created(writing, edit, parent, block)


async def _source_branch(edit: Edit, source: Target) -> BranchEdit:
    """Where the source of a copy is read: under the edit's lock, or in another course. Raises `LocationUnknown`."""
    name = source.branch or main_branch(source.course)
    branch: BranchEdit | None = None
    if source.course == edit.course:
        branch = next((found for found in edit.branches if found.name == name), None)
    else:
        branch = await read_branch(edit.connection, source.course, name)
    if branch is None or source.block_id is None:
        raise LocationUnknown(source.text)
    if source.version is not None and source.version != branch.guid:
        raise VersionConflict(current_version=branch.guid)
    return branch


async def _move(writing: Writing, body: BlockIn) -> Response:
    source = await writing.target(body.move_source_locator or "")
    if body.parent_locator is None:
        raise FieldRequired("parent_locator: This field is required.")
    parent = await writing.target(body.parent_locator)
    if source.course != parent.course:
        raise InvalidData("a block cannot be moved to another course: duplicate it there")
    if source.block_id is None:
        raise LocationUnknown(source.text)
    edit = await writing.open(source, "move")
    try:
        parent_id = parent.block_id or (await edit.draft.root()).block_id
        index = await move_block(edit, source.block_id, parent_id, body.target_index)
    except BlockUnknown as error:
        raise unknown_location(error, source if error.block_id == source.block_id else parent) from error
    saved = await edit.save(writing.session)
    said: Json = {
        "move_source_locator": usage_of(edit.course, source.block_id),
        "parent_locator": usage_of(edit.course, parent_id),
        "source_index": index,
    }
    return answer(said, saved)


async def _parent(writing: Writing, body: BlockIn, within: Target | None) -> Target:
    """The new block's parent; in a course that the address names it may be a bare name, or left out (the root)."""
    given = body.parent_locator
    if within is None:
        if given is None:
            raise FieldRequired("parent_locator: This field is required.")
        return await writing.target(given)
    if given is None:
        return within
    if ":" in given or "/" in given:
        parent = await writing.target(given)
        if parent.course != within.course:
            raise InvalidData("parent_locator is in another course than the address")
    else:
        parent = await writing.target(f"{within.course}/branch/{main_branch(within.course)}/block/{given}")
    return Target(
        given, parent.course, parent.spelling, parent.block_id, within.branch or parent.branch,
        within.version or parent.version,
    )  # fmt: skip


async def _created(writing: Writing, edit: Edit, parent: Target, block: Block) -> Response:
    saved = await edit.save(writing.session)
    usage = edit.course.usage(block.type, local_id(block.block_id))
    said: Json = {"locator": str(usage), "courseKey": parent.spelling}
    if not edit.course.is_library:
        said["id"] = usage.i4x
    return answer(said, saved, headers={"Location": in_header(f"/xblock/{usage}")})


def _reason(body: BlockIn) -> str:
    return {"discard_changes": "discard", "make_public": "publish", "republish": "publish"}.get(
        body.publish or "", "edit"
    )


def unknown_location(error: BlockUnknown, target: Target) -> LocationUnknown:
    """What is not there, by the name under which it was asked for if that is what it is."""
    if error.block_id == target.block_id:
        return LocationUnknown(target.text)
    return LocationUnknown(usage_of(target.course, error.block_id))
