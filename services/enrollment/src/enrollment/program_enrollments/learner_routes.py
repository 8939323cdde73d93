"""`/api/program_enrollments/v1/` for learners: the programs they have to do with, and their courses in them."""

from typing import Final

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.errors import Forbidden
from common.identity import Caller, request_base
from enrollment.program_enrollments import learners, queries
from enrollment.program_enrollments.errors import NotInProgram
from enrollment.program_enrollments.http import (
    PlainRoute,
    answer,
    described,
    known_caller,
    page_answer,
    program_in_path,
    resources_of,
)
from enrollment.program_enrollments.schemas import ProgramName
from enrollment.programs.models import Program

router = APIRouter(prefix="/api/program_enrollments/v1", tags=["program enrollments"], route_class=PlainRoute)

_PAGE_SIZE: Final = 10
_MAX_PAGE_SIZE: Final = 25
# nobody has so many courses: what a made-up cursor names beyond it is as empty
_MAX_PLACE: Final = 2**31
_TYPE: Final = {"name": "type", "in": "query", "description": "`masters` by default.", "schema": {"type": "string"}}


@router.get("/programs/enrollments/", response_model=list[ProgramName], openapi_extra={"parameters": [_TYPE]})
@router.get("/programs/readonly_access/", response_model=list[ProgramName], openapi_extra={"parameters": [_TYPE]})
async def list_programs(request: Request) -> Response:
    """The programs of a type whose courses one teaches, and those one is in; for staff all of the type."""
    caller = known_caller(request)
    type_ = request.query_params.get("type") or "masters"
    if "\x00" in type_:
        return answer([])
    pool = resources_of(request).pool
    found = await learners.list_programs(pool, user_id=caller.user_id, is_staff=caller.is_staff, type_=type_)
    return answer(found)


async def _enrolled(request: Request) -> tuple[Caller, int, Program]:
    """Raises `ProgramNotFound`, `NotInProgram`."""
    caller = known_caller(request)
    program = await program_in_path(request)
    resources = resources_of(request)
    user_id = caller.user_id
    if user_id is None or not await resources.facts.eventually(
        lambda: learners.is_enrolled(resources.pool, user_id, program.uuid)
    ):
        raise NotInProgram
    return caller, user_id, program


@router.get("/programs/{program_uuid}/overview/", openapi_extra=described())
async def get_overview(request: Request) -> Response:
    """The caller's courses in a program they are enrolled in."""
    _, user_id, program = await _enrolled(request)
    base = request_base(request)
    runs = await learners.list_runs(resources_of(request).pool, user_id, program.uuid, base=base)
    return answer({"course_runs": runs})


@router.get(
    "/users/{username}/programs/{program_uuid}/courses",
    openapi_extra=described(learner=True, cursor="From the links of a page.", page_size="10 by default, at most 25."),
)
async def list_courses(request: Request) -> Response:
    """The same by pages, of oneself only."""
    caller, user_id, program = await _enrolled(request)
    if request.path_params["username"] != caller.username:
        raise Forbidden
    query = request.query_params
    size = queries.page_size(query.get("page_size"), default=_PAGE_SIZE, most=_MAX_PAGE_SIZE)
    cursor = queries.parse_cursor(query["cursor"]) if query.get("cursor") else None
    # a program has few courses: their places in the list are the ids of this cursor
    after = min(max(cursor.id - (1 if cursor.back else 0), 0), _MAX_PLACE) if cursor else 0
    first = max(after - size, 0) if cursor and cursor.back else after
    count = after - first if cursor and cursor.back else size
    rows = await learners.list_runs(
        resources_of(request).pool,
        user_id,
        program.uuid,
        base=request_base(request),
        limit=count + 1,
        offset=first,
    )
    more, rows = len(rows) > count, rows[:count]
    page = queries.Page(
        [orjson.dumps(row).decode() for row in rows],
        queries.Cursor(first + count) if more else None,
        queries.Cursor(first + 1, back=True) if first else None,
    )
    return page_answer(request, page)
