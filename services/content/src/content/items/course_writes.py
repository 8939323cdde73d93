"""`PUT` and `PATCH` of a course: what it says about itself."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.identity import CallerDep, require_user
from common.keys import InvalidKey
from common.resources import Resources
from content.access import find_standing, require_team
from content.bodies import if_match, read_object
from content.courses.errors import CourseNotFound
from content.courses.queries import find_place
from content.items.course_changes import read_changes
from content.items.operations import change_course
from content.items.routes import get_course
from content.versions.models import DRAFT, LIBRARY, PUBLISHED
from content.versions.operations import Author

router = APIRouter(tags=["courses and blocks"])
_LIMIT = 2_000_000


@router.put("/course/{place:path}", summary="Change a course")
@router.patch("/course/{place:path}", summary="Change a course")
@router.put("/api/content/v1/course/{place:path}", summary="Change a course", operation_id="put_course_v1")
@router.patch("/api/content/v1/course/{place:path}", summary="Change a course", operation_id="patch_course_v1")
async def put_course(request: Request, place: str, caller: CallerDep) -> Response:
    """Names, dates and other settings (null takes one away), marketing texts in `about`, and with `head` a branch's
    way back to one of its versions. What is not named stays. `version` and `versions` as read, and `If-Match`, refuse
    when the course has moved. For the team and global staff; answers what reading answers."""
    require_user(caller)
    resources: Resources = request.state.resources
    body = await read_object(request, limit=_LIMIT)
    try:
        where = await find_place(resources.pool, place.strip("/"))
    except InvalidKey as error:
        raise CourseNotFound from error
    standing = await find_standing(resources.pool, where.course, caller.user_id) if where else None
    if where is None or where.block is not None or standing is None:
        raise CourseNotFound
    require_team(caller, standing, where.course)
    written = LIBRARY if where.course.is_library else DRAFT
    branch = where.branch or written
    if branch not in (written, PUBLISHED) or (where.course.is_library and branch == PUBLISHED):
        raise CourseNotFound(f"The course has no branch {branch}.")
    changes = read_changes(where.course, body, branch=branch)
    # committed before it is read again: the answer is what everybody reads from now on
    async with resources.sessions.begin() as session:
        await change_course(
            session,
            where.course,
            branch,
            changes,
            Author(caller.user_id, caller.username, "course info"),
            if_match=if_match(request),
            version=where.version,
        )
    address = f"{where.course}/branch/{where.branch}" if where.branch else str(where.course)
    return await get_course(_as_json(request), address, caller)


def _as_json(request: Request) -> Request:
    """Writing is answered in JSON, whatever the client would rather read."""
    headers = [(name, value) for name, value in request.scope["headers"] if name != b"accept"]
    return Request({**request.scope, "headers": headers})
