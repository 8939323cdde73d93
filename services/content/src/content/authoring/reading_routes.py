"""What authors read beside the blocks themselves: outlines, containers, rendered views, orphans, definitions."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.database import WriteSession
from common.errors import NotFound, Unauthorized
from common.identity import Caller, CallerDep
from common.keys import DefinitionKey, InvalidKey
from common.resources import Resources
from content.access import TEAM_ROLES, NotOnTeam, require_team
from content.addresses import clean
from content.authoring.definitions import FoundDefinition, find_definition, is_used_by_team
from content.authoring.errors import StaffOnly
from content.authoring.handling import Writing, answer
from content.authoring.operations.orphans import delete_orphans, list_orphans
from content.authoring.pages import definition_page
from content.authoring.targets import Target
from content.bodies import json_answer
from content.courses.errors import CourseNotFound
from content.items.negotiation import in_either_form
from content.items.parts import print_container, print_outline
from content.items.reading import Opened, find_node, open_place
from content.items.team import read_team_view
from content.rendering.blocks import Rendering, render_block
from content.rendering.links import Links
from content.versions.cache import TreeCache
from content.versions.models import usage_of
from content.versions.queries import read_definitions
from content.versions.tree import Node

router = APIRouter(tags=["authoring"])
VIEWS: Final = (
    "student_view", "author_view", "studio_view", "public_view", "container_preview", "container_child_preview",
    "reorderable_container_child_preview",
)  # fmt: skip


class DefinitionNotFound(NotFound):
    """There is no such definition."""

    code = "definition_not_found"


@dataclass(frozen=True, slots=True)
class _Reader:
    """Somebody of the team, looking at one block."""

    resources: Resources
    trees: TreeCache
    caller: Caller
    now: datetime

    @classmethod
    def of(cls, request: Request, caller: Caller) -> "_Reader":
        if caller.is_anonymous:
            raise Unauthorized
        return cls(request.state.resources, request.app.state.trees, caller, datetime.now(UTC))

    async def open(self, place: str) -> tuple[Opened, Node]:
        text = clean(place)
        opened = await open_place(self.resources, self.trees, self.caller, text, now=self.now)
        require_team(self.caller, opened.standing, opened.place.course)
        return opened, find_node(opened, text, now=self.now)


@router.get("/xblock/outline/{place:path}", summary="A block's outline")
@router.get("/api/content/v1/xblock/outline/{place:path}", summary="A block's outline")
async def read_outline(request: Request, place: str, caller: CallerDep) -> Response:
    """The block and what is below it, down to the units, for the team."""
    reader = _Reader.of(request, caller)
    opened, node = await reader.open(place)
    team = await read_team_view(reader.resources, reader.trees, opened, opened.tree.walk(node.block_id))
    return json_answer(print_outline(opened.tree, node, opened.visible, team, reader.now))


@router.get("/xblock/container/{place:path}", summary="A container, as it is edited")
@router.get("/api/content/v1/xblock/container/{place:path}", summary="A container, as it is edited")
async def read_container(request: Request, place: str, caller: CallerDep) -> Response:
    """The block with its ancestors, its children, and why learners see it or not, for the team."""
    reader = _Reader.of(request, caller)
    opened, node = await reader.open(place)
    tree = opened.tree
    shown = [node, *tree.ancestors(node.block_id), *(tree.nodes[c] for c in node.children if c in tree.nodes)]
    team = await read_team_view(reader.resources, reader.trees, opened, shown)
    return json_answer(print_container(tree, node, opened.visible, team, reader.now))


async def read_view(request: Request, place: str, caller: CallerDep) -> Response:
    """The block rendered, as a fragment of a page: `{"html", "resources"}`, for the team."""
    reader = _Reader.of(request, caller)
    opened, node = await reader.open(place)
    fields = await read_definitions(reader.resources.pool, (n.definition for n in opened.tree.walk(node.block_id)))
    visible = {found.block_id: None for found in opened.tree.walk(node.block_id)}
    rendering = Rendering(opened.tree, visible, fields, Links(opened.tree))
    return json_answer({"html": render_block(rendering, node.block_id), "resources": []})


for _view in VIEWS:
    router.add_api_route(f"/xblock/{{place:path}}/{_view}", read_view, methods=["GET"], summary=f"A block's {_view}")


@router.get("/orphan/{place:path}", summary="Blocks that nothing leads to")
@router.get("/api/content/v1/orphan/{place:path}", summary="Blocks that nothing leads to")
async def read_orphans(request: Request, place: str, session: WriteSession, caller: CallerDep) -> Response:
    """The keys of the draft's blocks that cannot be reached from the root, for the team."""
    target = await _course(Writing(request, session, caller), place)
    resources: Resources = request.state.resources
    found = await list_orphans(resources.pool, target.course)
    return json_answer([usage_of(target.course, block_id) for block_id in found])


@router.delete("/orphan/{place:path}", summary="Delete the blocks that nothing leads to")
@router.delete("/api/content/v1/orphan/{place:path}", summary="Delete the blocks that nothing leads to")
async def remove_orphans(request: Request, place: str, session: WriteSession, caller: CallerDep) -> Response:
    """Delete them on both branches; global staff only."""
    writing = Writing(request, session, caller)
    target = await _course(writing, place)
    if not caller.is_staff:
        raise StaffOnly
    edit = await writing.open(target, "delete")
    gone = await delete_orphans(edit)
    saved = await edit.save(session)
    return answer({"deleted": [usage_of(target.course, block_id) for block_id in gone]}, saved)


async def _course(writing: Writing, place: str) -> Target:
    """A whole course, for its team. Raises `CourseNotFound` for a block of one, and what finding a target raises."""
    target = await writing.target(clean(place))
    if target.block_id is not None:
        raise CourseNotFound
    return target


@router.get("/definition/{guid:path}", summary="A definition")
@router.get("/api/content/v1/definition/{guid:path}", summary="A definition")
async def read_definition(request: Request, guid: str, caller: CallerDep) -> Response:
    """Content fields by their guid, for the teams of courses that use them and for global staff. It never changes.

    JSON or a page.
    """
    resources: Resources = request.state.resources

    async def json() -> Response:
        found = await _find_definition(resources, caller, guid)
        body = {
            "id": str(found.key), "_id": str(found.key), "guid": found.key.guid, "category": found.type,
            "block_type": found.type, "data": found.fields.get("data"), "fields": found.fields,
        }  # fmt: skip
        response = json_answer(body)
        response.headers["ETag"] = f'"{found.key.guid}"'
        response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
        return response

    async def html() -> str:
        return definition_page(await _find_definition(resources, caller, guid), user=caller.username)

    return await in_either_form(request, caller, json=json, html=html)


async def _find_definition(resources: Resources, caller: Caller, text: str) -> FoundDefinition:
    """The definition, for whoever may read it; nobody else is told which exist.

    Raises `Unauthorized`, `DefinitionNotFound`, `NotOnTeam`.
    """
    if caller.is_anonymous:
        raise Unauthorized
    try:
        key = DefinitionKey.parse(clean(text))
    except InvalidKey as error:
        raise DefinitionNotFound from error
    found = await find_definition(resources.pool, key)
    if not caller.is_staff and not (found and await _is_of_team(resources, caller, key)):
        raise NotOnTeam
    if found is None:
        raise DefinitionNotFound
    return found


async def _is_of_team(resources: Resources, caller: Caller, key: DefinitionKey) -> bool:
    """Course roles count only while the account is active; roles in organizations always do."""
    user_id = caller.user_id if caller.is_active else None
    orgs = [org for org, role in caller.org_roles if role in TEAM_ROLES]
    return await is_used_by_team(resources.pool, key, user_id, orgs)
