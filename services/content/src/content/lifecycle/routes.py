"""`DELETE /course/…`, and the courses that were deleted."""

from datetime import UTC, datetime

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.database import WriteSession, raw
from common.identity import Caller, CallerDep, require_user
from common.keys import CourseKey, InvalidKey
from content.access import Standing, find_standing, require_team
from content.bodies import if_match, read_bytes
from content.courses.errors import CourseNotFound
from content.courses.queries import Place, find_place
from content.lifecycle.errors import MayNotDelete, NotDeleted, OnlyBranch, WholeCourse
from content.lifecycle.operations import delete_branch, delete_course, restore_course
from content.lifecycle.queries import list_deleted
from content.lifecycle.schemas import DeletedOut, RestoredOut
from content.once import once
from content.versions.models import DRAFT, PUBLISHED
from content.versions.operations import Author
from content.versions.queries import Connection

router = APIRouter(tags=["courses"])
_DELETED = "/api/content/v1/deleted_courses"


@router.delete("/course/{place:path}", status_code=204, summary="Delete a course, or a branch of it")
@router.delete(
    "/api/content/v1/course/{place:path}",
    status_code=204,
    summary="Delete a course, or a branch of it",
    operation_id="delete_course_v1",
)
async def delete(request: Request, place: str, session: WriteSession, caller: CallerDep) -> Response:
    """`…/{course}`: the course is gone, and can be restored. `…/branch/draft`: what is not published is discarded.
    `…/branch/published`: learners have nothing left. For global staff and whoever may create courses there; drafts also
    for the team."""
    require_user(caller)
    where, standing = await _open(await raw(session), caller, place.strip("/"))
    if where.branch == DRAFT:
        require_team(caller, standing, where.course)
    elif not caller.may_create(where.course.org, where.course.course):
        raise MayNotDelete
    if where.branch is None:
        await delete_course(session, where.course, if_match=if_match(request), now=datetime.now(UTC))
    else:
        author = Author(caller.user_id, caller.username, "delete branch")
        await delete_branch(session, where.course, where.branch, author, if_match=if_match(request))
    return Response(status_code=204)


async def _open(connection: Connection, caller: Caller, text: str) -> tuple[Place, Standing]:
    """Raises `CourseNotFound`, `WholeCourse`, `OnlyBranch`."""
    try:
        place = await find_place(connection, text)
    except InvalidKey as error:
        raise CourseNotFound from error
    standing = await find_standing(connection, place.course, caller.user_id) if place else None
    if place is None or standing is None:
        raise CourseNotFound
    if place.block is not None or place.version is not None:
        raise WholeCourse
    if place.course.is_library and place.branch is not None:
        raise OnlyBranch
    if place.branch not in (None, DRAFT, PUBLISHED):
        raise CourseNotFound(f"The course has no branch {place.branch}.")
    return place, standing


@router.get(_DELETED, response_model=list[DeletedOut], summary="Deleted courses")
async def get_deleted(request: Request, caller: CallerDep) -> list[DeletedOut]:
    """Those that the caller may restore."""
    require_user(caller)
    return [
        DeletedOut(course_id=found.spelling, deleted_at=found.deleted_at)
        for found in await list_deleted(request.state.resources.pool)
        if caller.may_create(found.course.org, found.course.course)
    ]


@router.post(_DELETED + "/{place:path}/restore", response_model=RestoredOut, summary="Restore a deleted course")
async def restore(request: Request, place: str, session: WriteSession, caller: CallerDep) -> Response:
    """The course with its team and every version is there again as it was. For whoever may delete it."""
    require_user(caller)
    data = await read_bytes(request)

    async def perform() -> Response:
        try:
            course = CourseKey.parse(place)
        except InvalidKey as error:
            raise NotDeleted from error
        if not caller.may_create(course.org, course.course):
            raise MayNotDelete
        await restore_course(session, course)
        body = {"course_id": course.canonical, "url": f"/course/{course}"}
        return Response(orjson.dumps(body), media_type="application/json")

    return await once(request, session, caller, data, perform)
