"""`/api/content/v1/course_team`: who may change a course."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.database import WriteSession, raw
from common.identity import Caller, CallerDep, require_user
from common.keys import CourseKey, InvalidKey
from common.resources import Resources
from content.access import Standing, find_account, find_standing, is_instructor, require_team
from content.courses.errors import CourseNotFound
from content.courses.queries import find_by_dotted, get_course_key
from content.teams.errors import NotAMember, NotInstructor, UserNotFound
from content.teams.operations import set_role
from content.teams.queries import list_members
from content.teams.schemas import MemberOut, RoleIn, TeamOut

router = APIRouter(prefix="/api/content/v1/course_team", tags=["course teams"])


@router.get("/{place:path}", response_model=TeamOut | MemberOut, summary="A course's team, or one member of it")
async def get_team(request: Request, place: str, caller: CallerDep) -> TeamOut | MemberOut:
    """`…/{course}` is the whole team, `…/{course}/{username}` one member. For the team and global staff."""
    resources: Resources = request.state.resources
    course, username = await _split(resources, place)
    standing = await _standing(resources, caller, course)
    require_team(caller, standing, course)
    members = await list_members(resources.pool, course.canonical)
    if username is None:
        return TeamOut(course_id=standing.spelling, members=members)
    found = next((member for member in members if member.username == username), None)
    if found is None:
        raise NotAMember
    return found


@router.put("/{place:path}", response_model=MemberOut, summary="Give somebody a role")
async def put_member(request: Request, place: str, body: RoleIn, session: WriteSession, caller: CallerDep) -> MemberOut:
    """`…/{course}/{username}`; for instructors of the course and global staff."""
    resources: Resources = request.state.resources
    course, username = await _member(resources, place, caller)
    account = await resources.facts.eventually(lambda: find_account(resources.pool, username))
    if account is None:
        raise UserNotFound(f"No account is called {username}.")
    changed = await set_role(
        session,
        await raw(session),
        course,
        user_id=account.user_id,
        username=account.username,
        role=body.role,
        keep_instructor=not caller.is_staff,
    )
    if changed is None:
        raise CourseNotFound
    return MemberOut(username=account.username, user_id=account.user_id, role=body.role)


@router.delete("/{place:path}", status_code=204, summary="Take somebody's role away")
async def delete_member(request: Request, place: str, session: WriteSession, caller: CallerDep) -> Response:
    """`…/{course}/{username}`; for instructors of the course and global staff. The last instructor stays, unless global
    staff decide otherwise."""
    resources: Resources = request.state.resources
    course, username = await _member(resources, place, caller)
    members = await list_members(resources.pool, course.canonical)
    member = next((found for found in members if found.username == username), None)
    if member is None:
        raise NotAMember
    await set_role(
        session,
        await raw(session),
        course,
        user_id=member.user_id,
        username=member.username,
        role=None,
        keep_instructor=not caller.is_staff,
    )
    return Response(status_code=204)


async def _member(resources: Resources, place: str, caller: Caller) -> tuple[CourseKey, str]:
    """Course and username of a change. Raises `CourseNotFound`, 401, `NotInstructor`."""
    require_user(caller)
    course, username = await _split(resources, place)
    standing = await _standing(resources, caller, course)
    if not is_instructor(caller, standing, course):
        raise NotInstructor
    if username is None:
        raise UserNotFound
    return course, username


async def _standing(resources: Resources, caller: Caller, course: CourseKey) -> Standing:
    require_user(caller)
    standing = await find_standing(resources.pool, course, caller.user_id)
    if standing is None:
        raise CourseNotFound
    return standing


async def _split(resources: Resources, place: str) -> tuple[CourseKey, str | None]:
    """The course, and the username behind it if there is one; a course may be spelled with slashes itself."""
    place = place.strip("/")
    try:
        return CourseKey.parse(place), None
    except InvalidKey:
        pass
    if "/" not in place:
        course = await find_by_dotted(resources.pool, place)
        if course is None:
            raise CourseNotFound
        return course, None
    name, _, username = place.rpartition("/")
    return await get_course_key(resources.pool, name), username
