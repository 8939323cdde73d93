"""`/api/content/v1/access`: who may read a course and its blocks, beyond the default rules."""

from datetime import UTC, datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.database import WriteSession, raw
from common.errors import Unauthorized
from common.identity import Caller, CallerDep, require_user
from common.keys import CourseKey, InvalidKey
from common.resources import Resources
from content.access import NotOnTeam, Standing, find_standing, is_team, require_team
from content.addresses import clean
from content.blocks.errors import ItemNotFound
from content.courses.errors import CourseNotFound
from content.courses.queries import find_place, get_course_key
from content.items.reading import find_node, open_place
from content.policies import operations
from content.policies.errors import MayNotDecide, NoPolicy, NoUnlockKey, WrongUnlockKey
from content.policies.models import BLOCKS, INFO, Policy
from content.policies.queries import list_keys, list_policies
from content.policies.schemas import BlockPolicy, CourseAccess, CoursePolicies, Unlocked, UnlockIn, UnlockKeyOut
from content.versions.tree import Node, Tree

router = APIRouter(prefix="/api/content/v1", tags=["access"])


@router.get("/access/{place:path}", response_model=CourseAccess | BlockPolicy, summary="Who may read")
async def get_access(request: Request, place: str, caller: CallerDep) -> CourseAccess | BlockPolicy:
    """`…/{course}`: all policies of a course; `…/{block}`: those that hold for one block. For the team."""
    resources: Resources = request.state.resources
    if await _is_block(resources, place):
        tree, node = await _block(request, place, caller)
        policies = await list_policies(resources.pool, tree.course.canonical)
        above = {
            str(tree.usage(parent.block_id)): policies[parent.block_id]
            for parent in tree.ancestors(node.block_id)
            if parent.block_id in policies
        }
        return BlockPolicy(block=str(tree.usage(node.block_id)), policy=policies.get(node.block_id), above=above)
    course, standing = await _course(resources, place, caller)
    require_team(caller, standing, course)
    return await _printed(resources, course, standing)


@router.patch("/access/{place:path}", response_model=CourseAccess, summary="Open or close a course")
async def change_access(
    request: Request, place: str, body: CoursePolicies, session: WriteSession, caller: CallerDep
) -> CourseAccess:
    """Policies for the course's description (`info`) and for its blocks; null goes back to the default rule.

    The team sets both; whoever may create courses in the organization sets `info` too.
    """
    resources: Resources = request.state.resources
    course, standing = await _course(resources, place, caller)
    if not is_team(caller, standing, course):
        if not caller.may_create(course.org, course.course):
            raise NotOnTeam
        if BLOCKS in body.model_fields_set:
            raise MayNotDecide
    connection = await raw(session)
    for scope in (INFO, BLOCKS):
        if scope in body.model_fields_set:
            await operations.set_policy(connection, course, scope, getattr(body, scope), by=caller)
    policies = await list_policies(connection, course.canonical)
    return _all(standing, course, policies)


@router.put("/access/{place:path}", response_model=BlockPolicy, summary="Close a block")
async def put_block_policy(
    request: Request, place: str, body: Policy, session: WriteSession, caller: CallerDep
) -> BlockPolicy:
    """The policy of one block and of everything below it; it can only narrow what holds above it. For the team."""
    tree, node = await _block(request, place, caller)
    await operations.set_policy(await raw(session), tree.course, node.block_id, body, by=caller)
    return BlockPolicy(block=str(tree.usage(node.block_id)), policy=body, above={})


@router.delete("/access/{place:path}", status_code=204, summary="Take a block's policy away")
async def delete_block_policy(request: Request, place: str, session: WriteSession, caller: CallerDep) -> Response:
    """What holds above the block holds for it again. For the team."""
    tree, node = await _block(request, place, caller)
    if not await operations.set_policy(await raw(session), tree.course, node.block_id, None, by=caller):
        raise NoPolicy
    return Response(status_code=204)


@router.get("/unlock_keys/{place:path}", response_model=list[UnlockKeyOut], summary="A course's unlock keys")
async def get_unlock_keys(request: Request, place: str, caller: CallerDep) -> list[UnlockKeyOut]:
    """Without their secrets, with the number of people who have shown each. For the team."""
    resources: Resources = request.state.resources
    course, standing = await _course(resources, place, caller)
    require_team(caller, standing, course)
    return [
        UnlockKeyOut(id=key.id, created_at=key.created_at, created_by=key.creator, unlocked=key.unlocked)
        for key in await list_keys(resources.pool, course.canonical)
    ]


@router.post("/unlock_keys/{place:path}", response_model=UnlockKeyOut, status_code=201, summary="Make an unlock key")
async def create_unlock_key(request: Request, place: str, session: WriteSession, caller: CallerDep) -> UnlockKeyOut:
    """The secret is in this answer only. For the team."""
    resources: Resources = request.state.resources
    course, standing = await _course(resources, place, caller)
    require_team(caller, standing, course)
    number, secret = await operations.create_unlock_key(await raw(session), course, by=caller)
    return UnlockKeyOut(id=number, key=secret, created_at=datetime.now(UTC), created_by=caller.username)


@router.delete("/unlock_keys/{place:path}", status_code=204, summary="Take an unlock key back")
async def delete_unlock_key(request: Request, place: str, session: WriteSession, caller: CallerDep) -> Response:
    """`…/{course}/{id}`; it lets nobody in any more, also those who have shown it. For the team."""
    resources: Resources = request.state.resources
    name, _, number = place.strip("/").rpartition("/")
    course, standing = await _course(resources, name, caller)
    require_team(caller, standing, course)
    known = number.isascii() and number.isdigit() and len(number) < 10
    if not known or not await operations.remove_unlock_key(await raw(session), course, int(number)):
        raise NoUnlockKey
    return Response(status_code=204)


@router.post("/unlock/{place:path}", response_model=Unlocked, summary="Show an unlock key")
async def unlock_course(
    request: Request, place: str, body: UnlockIn, session: WriteSession, caller: CallerDep
) -> Unlocked:
    """From now on the caller counts as a holder of this course's unlock key."""
    resources: Resources = request.state.resources
    course, standing = await _course(resources, place, caller)
    user = require_user(caller).user_id
    if user is None:
        raise Unauthorized
    if not await operations.unlock(await raw(session), course, body.key, user_id=user):
        raise WrongUnlockKey
    return Unlocked(course_id=standing.spelling, unlocked=True)


async def _is_block(resources: Resources, text: str) -> bool:
    """Raises `CourseNotFound` for what leads nowhere."""
    try:
        place = await find_place(resources.pool, text.strip("/"))
    except InvalidKey as error:
        raise CourseNotFound from error
    if place is None:
        raise CourseNotFound
    return place.block is not None


async def _course(resources: Resources, text: str, caller: Caller) -> tuple[CourseKey, Standing]:
    """Raises 401, `CourseNotFound`."""
    require_user(caller)
    course = await get_course_key(resources.pool, text.strip("/"))
    standing = await find_standing(resources.pool, course, caller.user_id)
    if standing is None:
        raise CourseNotFound
    return course, standing


async def _block(request: Request, text: str, caller: Caller) -> tuple[Tree, Node]:
    """A block as the team has it. Raises 401, `NotOnTeam`, `ItemNotFound`."""
    require_user(caller)
    now = datetime.now(UTC)
    text = clean(text)
    opened = await open_place(request.state.resources, request.app.state.trees, caller, text, now=now)
    if not opened.is_team:
        raise NotOnTeam
    if opened.place.block is None:
        raise ItemNotFound(text)
    return opened.tree, find_node(opened, text, now=now)


async def _printed(resources: Resources, course: CourseKey, standing: Standing) -> CourseAccess:
    return _all(standing, course, await list_policies(resources.pool, course.canonical))


def _all(standing: Standing, course: CourseKey, policies: dict[str, Policy]) -> CourseAccess:
    overrides = {
        str(course.usage(*scope.split("@", 1))): policy
        for scope, policy in policies.items()
        if scope not in (INFO, BLOCKS)
    }
    return CourseAccess(
        course_id=standing.spelling, info=policies.get(INFO), blocks=policies.get(BLOCKS), overrides=overrides
    )
