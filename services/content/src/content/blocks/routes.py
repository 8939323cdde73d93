"""The blocks API, v1 and v2: a course's tree, or what is below one block."""

from datetime import UTC, datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.identity import Caller, CallerDep, request_base
from common.keys import InvalidKey, UsageKey
from common.resources import Resources
from content.blocks.decision import Granted, decide
from content.blocks.errors import BlockNotFound
from content.blocks.parameters import BadParameter, BadParameters, BlocksQuery, read_blocks_query
from content.blocks.serializing import Printing, print_blocks
from content.blocks.views import VIEWED, index_dictionary, student_view_data
from content.blocks.visibility import Visible, survey
from content.bodies import json_answer
from content.courses.errors import CourseNotFound
from content.courses.queries import find_by_legacy, get_course_key
from content.rendering.links import Links
from content.settings import Settings
from content.versions.queries import read_definitions

router = APIRouter(tags=["blocks"])


def _parameter(name: str, description: str, *, required: bool = False, default: str | None = None) -> dict[str, object]:
    schema = {"type": "string"} | ({"default": default} if default else {})
    return {"name": name, "in": "query", "required": required, "description": description, "schema": schema}


_LEVEL = [
    _parameter("username", "Whose view; empty for the anonymous view. Required unless all_blocks is true."),
    _parameter("all_blocks", "true: everything, for the course team."),
    _parameter("depth", "How many levels below the root, or `all`.", default="0"),
    _parameter("nav_depth", "Adds `descendants`: children above this level, everything below at it."),
    _parameter("requested_fields", "Further fields, separated by commas."),
    _parameter("block_counts", "Types to count in every block and below it."),
    _parameter("student_view_data", "Types whose student view data is wanted."),
    _parameter("block_types_filter", "Only blocks of these types; what others hold moves up."),
    _parameter("return_type", "`dict` or `list`.", default="dict"),
]
_OF_BLOCK = {"parameters": _LEVEL}
_OF_COURSE = {"parameters": [_parameter("course_id", "The course.", required=True), *_LEVEL]}


@router.get("/api/courses/v1/blocks/", summary="The blocks of a course", openapi_extra=_OF_COURSE)
@router.get(
    "/api/courses/v2/blocks/",
    summary="The blocks of a course",
    operation_id="blocks_of_course_v2",
    openapi_extra=_OF_COURSE,
)
async def read_course_blocks(request: Request, caller: CallerDep) -> Response:
    """The tree of the course `course_id` as `username` may see it, by upstream's parameters.

    Blocks that are not released to that person are left out; those that an access policy keeps from them are named
    with the reason in v1, and left out in v2.
    """
    text = request.query_params.get("course_id", "")
    if not text:
        raise BadParameter("course_id is required.")
    resources: Resources = request.state.resources
    try:
        # no key has a space: one that arrives is a plus sign that was not escaped
        course = await get_course_key(resources.pool, text.replace(" ", "+"))
    except CourseNotFound as error:
        raise BadParameter(f"'{text}' is not a valid course key.") from error
    asked = read_blocks_query(request.query_params)
    granted = await decide(resources, request.app.state.trees, caller, course, asked, course.usage("course", "course"))
    asked.refuse()
    return await _answer(request, granted, granted.tree.root, asked)


@router.get("/api/courses/v1/blocks/{usage_key:path}", summary="A block and what is below it", openapi_extra=_OF_BLOCK)
@router.get(
    "/api/courses/v2/blocks/{usage_key:path}",
    summary="A block and what is below it",
    operation_id="blocks_below_v2",
    openapi_extra=_OF_BLOCK,
)
async def read_blocks_below(request: Request, usage_key: str, caller: CallerDep) -> Response:
    """The tree below one block, by the same parameters."""
    if not usage_key.strip("/"):
        return await read_course_blocks(request, caller)
    asked = read_blocks_query(request.query_params)
    granted, usage = await _open(request, usage_key, caller, asked)
    asked.refuse()
    if usage.local not in granted.tree.nodes:
        raise BlockNotFound(usage)
    return await _answer(request, granted, usage.local, asked)


@router.get("/api/courses/v1/block_metadata/{usage_key:path}", summary="One block's id, type and words")
async def read_block_metadata(request: Request, usage_key: str, caller: CallerDep, include: str = "") -> Response:
    """One block; `include=index_dictionary` adds what a search engine would index of it."""
    granted, usage = await _open(request, usage_key, caller, BlocksQuery(username=caller.username or ""))
    tree = granted.tree
    if usage.local not in Visible(tree, granted.viewer, datetime.now(UTC)):
        raise BlockNotFound(usage)
    node = tree.nodes[usage.local]
    body: dict[str, object] = {"id": str(tree.usage(node.block_id)), "type": node.type}
    if "index_dictionary" in include.split(","):
        fields = await read_definitions(request.state.resources.pool, [node.definition])
        body["index_dictionary"] = index_dictionary(node, _of(fields, node.definition), Links(tree))
    return json_answer(body)


async def describe(_: Request) -> Response:
    """What can be asked, to anybody."""
    about: dict[str, object] = {
        "name": "Blocks",
        "description": "A course's blocks.",
        "renders": ["application/json"],
        "parses": [],
    }
    return json_answer(about, {"Allow": "GET, HEAD, OPTIONS"})


for _path in ("v1/blocks/", "v2/blocks/", "v1/block_metadata/"):
    router.add_route(f"/api/courses/{_path}{{key:path}}", describe, methods=["OPTIONS"], include_in_schema=False)


async def _open(request: Request, text: str, caller: Caller, asked: BlocksQuery) -> tuple[Granted, UsageKey]:
    """Raises `BadParameters` for text that is no key, and what `decide` raises."""
    resources: Resources = request.state.resources
    text = text.rstrip("/")
    try:
        usage = UsageKey.parse(text)
    except InvalidKey as error:
        raise BadParameters({"usage_key": f"'{text}' is not a valid usage key."}) from error
    course = usage.course
    if course is None and usage.legacy is not None:
        course = await find_by_legacy(resources.pool, *usage.legacy, usage.local)
    if course is None:
        raise BadParameters({"usage_key": f"'{text}' is not a valid usage key."})
    granted = await decide(resources, request.app.state.trees, caller, course, asked, usage)
    return granted, course.usage(usage.type, usage.id)


async def _answer(request: Request, granted: Granted, root: str | None, asked: BlocksQuery) -> Response:
    if root is None:
        raise BlockNotFound(granted.tree.course.usage("course", "course"))
    resources: Resources = request.state.resources
    tree = granted.tree
    visible, closed = survey(tree, granted.viewer, datetime.now(UTC))
    if not request.url.path.startswith("/api/courses/v1/"):
        closed = {}
    if root not in visible and root not in closed and root != tree.root:
        raise BlockNotFound(tree.usage(root))
    base = request_base(request)
    views = {}
    wanted = asked.student_view_data & VIEWED
    if wanted:
        nodes = [node for node in tree.walk(root) if node.type in wanted and node.block_id in visible]
        fields = await read_definitions(resources.pool, (node.definition for node in nodes))
        links = Links(tree)
        views = {node.block_id: student_view_data(node, _of(fields, node.definition), links, base) for node in nodes}
    body = print_blocks(tree, root, visible, asked, Printing(base, views, closed))
    headers = {}
    if granted.anonymous:
        settings = resources.settings
        age = settings.anonymous_max_age if isinstance(settings, Settings) else 0
        headers["Cache-Control"] = f"max-age={age}"
    return json_answer(body, headers)


def _of(fields: dict[bytes, dict[str, object]], definition: bytes | None) -> dict[str, object]:
    return fields.get(definition, {}) if definition else {}
