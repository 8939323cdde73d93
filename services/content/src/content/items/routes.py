"""`/course`, `/xblock` and `/item` of the 2013 design and of Studio, read."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.identity import Caller, CallerDep
from common.keys import InvalidKey
from common.resources import Resources
from content.access import TEAM_ROLES, is_team, require_info, require_team
from content.addresses import clean
from content.authoring.operations.pages import make_course_info
from content.blocks.errors import ItemNotFound
from content.blocks.viewers import caller_as_reader, find_viewer
from content.blocks.visibility import Visible, is_staff_only
from content.bodies import is_known
from content.courses.errors import CourseNotFound
from content.courses.queries import Listed, find_place, list_courses, read_about
from content.items.course_info import print_course, print_listed
from content.items.negotiation import in_either_form
from content.items.pages import block_page, courses_page, outline_page
from content.items.parts import print_ancestors, print_grader, print_tokens
from content.items.reading import NOBODY, Opened, choose_tree, find_node, open_place, standing_of
from content.items.serializing import print_item, print_subtree
from content.items.team import read_team_view
from content.policies.models import INFO, admits
from content.policies.queries import Places, list_places
from content.rendering.blocks import Rendering
from content.rendering.links import Links
from content.versions.cache import TreeCache
from content.versions.queries import read_definitions
from content.versions.tree import Node

router = APIRouter(tags=["courses and blocks"])


@dataclass(frozen=True, slots=True)
class _Asking:
    """One request: who asks, with what, when."""

    request: Request
    resources: Resources
    trees: TreeCache
    caller: Caller
    now: datetime

    @classmethod
    def of(cls, request: Request, caller: Caller) -> "_Asking":
        return cls(request, request.state.resources, request.app.state.trees, caller, datetime.now(UTC))


@router.get("/course", summary="All courses")
@router.get("/api/content/v1/course", summary="All courses", operation_id="list_courses_v1")
async def list_all_courses(request: Request, caller: CallerDep) -> Response:
    """Ids, names and dates of all courses; those for staff only are left out for everyone else. JSON or a page."""
    asking = _Asking.of(request, caller)

    async def json() -> Response:
        return _json(request, [print_listed(listed) for listed in await _listed(asking)])

    async def html() -> str:
        return courses_page(await _listed(asking), user=caller.username)

    return await in_either_form(request, caller, json=json, html=html)


async def _listed(asking: _Asking) -> list[Listed]:
    courses = await list_courses(asking.resources.pool)
    caller = asking.caller
    if caller.is_staff:
        return courses
    places = await list_places(asking.resources.pool, caller.user_id)
    return [listed for listed in courses if _is_listed(asking, listed, places)]


def _is_listed(asking: _Asking, listed: Listed, places: Places) -> bool:
    key, caller = listed.course.canonical, asking.caller
    if key in places.team or caller.has_org_role(listed.course.org, TEAM_ROLES):
        return True
    if listed.settings.get("visible_to_staff_only") is True:
        return False
    policy = places.policies.get(key)
    return policy is None or admits(policy, places.reader(caller, key), asking.now, scope=INFO)


@router.get("/course/{place:path}", summary="A course and its tree")
@router.get("/api/content/v1/course/{place:path}", summary="A course and its tree", operation_id="get_course_v1")
async def get_course(request: Request, place: str, caller: CallerDep) -> Response:
    """What the course says about itself; to learners and the team also its tree, without content. JSON or a page."""
    place = place.strip("/")
    if not place:
        return await list_all_courses(request, caller)
    asking = _Asking.of(request, caller)

    async def json() -> Response:
        course = await _open_course(asking, place)
        about = await read_about(asking.resources.pool, course.place.course)
        team = (
            await read_team_view(asking.resources, asking.trees, course, course.tree.nodes.values())
            if course.is_team
            else None
        )
        body = print_course(course, about, team=team, now=asking.now)
        return _json(request, body, version=_version(course))

    async def html() -> str:
        course = await _open_course(asking, place)
        about = await read_about(asking.resources.pool, course.place.course)
        visible = course.visible if course.may_read else None
        return outline_page(
            course.tree,
            _links(course),
            visible,
            about.get("overview"),
            team=course.is_team,
            user=caller.username,
        )

    return await in_either_form(request, caller, json=json, html=html)


async def _open_course(asking: _Asking, text: str) -> Opened:
    """The course; for those who may not read its blocks with an empty tree.

    Raises `CourseNotFound`, and what `choose_tree` and `require_info` raise.
    """
    try:
        place = await find_place(asking.resources.pool, text)
    except InvalidKey as error:
        raise CourseNotFound from error
    if place is None or place.block is not None:
        raise CourseNotFound
    standing = await standing_of(asking.resources, asking.trees, asking.caller, place, now=asking.now)
    if standing is None:
        raise CourseNotFound
    team = is_team(asking.caller, standing, place.course)
    tree = await choose_tree(asking.resources, asking.trees, asking.caller, place, standing, team=team)
    root = tree.nodes.get(tree.root or "") if tree else None
    if tree is None or root is None or (is_staff_only(root) and not team):
        raise CourseNotFound
    reader = caller_as_reader(asking.caller, standing)
    if not team:
        require_info(standing.policies, reader, asking.now)
    viewer = find_viewer(tree, standing, reader, team=team, now=asking.now)
    visible = Visible(tree, viewer, asking.now) if viewer else {}
    return Opened(place, standing, tree, team, visible, viewer is not None, viewer or NOBODY)


@router.get("/xblock/{place:path}", summary="A block")
@router.get("/api/content/v1/xblock/{place:path}", summary="A block", operation_id="get_block_v1")
async def get_block(request: Request, place: str, caller: CallerDep, rewrite_url_links: bool = True) -> Response:
    """One block, by key or by locator. JSON or a page.

    The team reads its draft unless the address says otherwise, with addresses of files in `data` in place of their
    `/static/` links; learners read what is published and released to them, with links that all work outside the
    course. With `rewrite_url_links=false` the text is as it is stored; so it is in the team's `fields` in any case.
    """
    return await _answer(request, place, caller, rewrite_url_links, subtree=False)


@router.get("/item/{place:path}", summary="A block and all below it")
@router.get("/api/content/v1/item/{place:path}", summary="A block and all below it", operation_id="get_item_v1")
async def get_item(request: Request, place: str, caller: CallerDep, rewrite_url_links: bool = True) -> Response:
    """The same, and in `tree` the block with everything below it, content included. JSON or a page."""
    return await _answer(request, place, caller, rewrite_url_links, subtree=True)


async def _answer(request: Request, place: str, caller: Caller, rewrite: bool, *, subtree: bool) -> Response:
    place = clean(place)
    asking = _Asking.of(request, caller)

    async def json() -> Response:
        wanted = _wanted(request)
        opened, node = await _open_block(asking, place, alone=not wanted)
        if wanted:
            return _json(request, await _print_wanted(asking, opened, node, wanted))
        tree = opened.tree
        root = tree.nodes.get(tree.root or "") if opened.is_team else None
        shown = [node, *(tree.walk(node.block_id) if subtree else ()), *([root] if root else ())]
        fields = await read_definitions(asking.resources.pool, (found.definition for found in shown))
        team = (
            await read_team_view(asking.resources, asking.trees, opened, [node], contents=fields)
            if opened.is_team
            else None
        )
        content = fields.get(node.definition, {}) if node.definition else {}
        item = print_item(tree, node, content, opened.visible, team=team, rewrite=rewrite, now=asking.now)
        if subtree:
            item["tree"] = print_subtree(tree, node, fields, opened.visible, is_team=opened.is_team, rewrite=rewrite)
        if "customReadToken" in request.query_params.get("fields", "").split(",") and opened.is_team:
            item |= print_tokens(tree, node)
        return _json(request, item, version=_version(opened))

    async def html() -> str:
        opened = await open_place(asking.resources, asking.trees, caller, place, now=asking.now)
        node = find_node(opened, place, now=asking.now)
        shown = [
            found for found in opened.tree.walk(node.block_id) if found is node or found.block_id in opened.visible
        ]
        fields = await read_definitions(asking.resources.pool, (found.definition for found in shown))
        rendering = Rendering(opened.tree, opened.visible, fields, _links(opened))
        return block_page(rendering, node, user=caller.username)

    return await in_either_form(request, caller, json=json, html=html)


def _links(opened: Opened) -> Links:
    """Links that stay where the reader is: on the branch, or in the version, that was asked for."""
    return Links(opened.tree, branch=opened.place.branch, version=opened.place.version)


async def _open_block(asking: _Asking, place: str, *, alone: bool) -> tuple[Opened, Node]:
    """The block; a page of updates or handouts that a course does not have yet is made when its team asks for it."""
    opened = await open_place(asking.resources, asking.trees, asking.caller, place, now=asking.now, alone=alone)
    try:
        return opened, find_node(opened, place, now=asking.now)
    except ItemNotFound:
        if not (opened.is_team and await make_course_info(asking.resources, asking.caller, opened.place)):
            raise
    opened = await open_place(asking.resources, asking.trees, asking.caller, place, now=asking.now)
    return opened, find_node(opened, place, now=asking.now)


def _wanted(request: Request) -> str | None:
    """The part that is asked for instead of the whole."""
    asked = request.query_params.get("fields", "").split(",")
    return next((name for name in ("graderType", "ancestorInfo") if name in asked), None)


async def _print_wanted(asking: _Asking, opened: Opened, node: Node, wanted: str) -> dict[str, object]:
    require_team(asking.caller, opened.standing, opened.place.course)
    if wanted == "graderType":
        return print_grader(str(opened.tree.usage(node.block_id)), node.settings)
    above = opened.tree.ancestors(node.block_id)
    team = await read_team_view(asking.resources, asking.trees, opened, above)
    return {"ancestors": print_ancestors(opened.tree, node, opened.visible, team, asking.now)}


def _version(opened: Opened) -> str | None:
    """The version, for those who may write."""
    return opened.tree.guid if opened.is_team else None


def _json(request: Request, body: object, *, version: str | None = None) -> Response:
    """The body with its entity tag, or 304 to whoever has it already.

    The tag of what the team reads begins with the version, which is what `If-Match` goes by. The version alone would
    not do: what is published changes what is said about a draft that stays the same.
    """
    content = orjson.dumps(body)
    digest = hashlib.blake2b(content, digest_size=8).hexdigest()
    headers = {"ETag": f'"{version}.{digest}"' if version else f'"{digest}"'}
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type="application/json")
