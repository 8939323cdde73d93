"""`/api/enrollment/v1/reports/`, for global staff; one course's also for its team."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Final

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from common.identity import Caller, CallerDep, request_base
from common.keys import CourseKey, InvalidKey
from common.resources import Resources
from enrollment.callers import require_global_staff
from enrollment.enrollments.errors import CredentialsMissing
from enrollment.openapi import described_query
from enrollment.reports import queries
from enrollment.reports.errors import BadCursor, CourseMissing, NotOnTeam, TooManyExports
from enrollment.reports.exports import open_export, stream_csv
from enrollment.reports.schemas import CountsPage, CourseCounts

PAGE_SIZE: Final = 100
MAX_EXPORTS: Final = 4
_CURSOR: Final = re.compile(r"\d{1,18}", re.ASCII)


def build_router() -> APIRouter:
    """A router with its own count of the exports being written."""
    router = APIRouter(prefix="/api/enrollment/v1/reports", tags=["reports"])
    slots = asyncio.Semaphore(MAX_EXPORTS)

    @router.get("/courses/", response_model=CountsPage, openapi_extra=described_query(cursor="From a page's link."))
    async def count_courses(request: Request, caller: CallerDep) -> Response:
        """Enrollments by course, mode and state."""
        require_global_staff(caller)
        cursor = request.query_params.get("cursor", "0")
        if not _CURSOR.fullmatch(cursor):
            raise BadCursor
        resources: Resources = request.state.resources
        results, after = await queries.count_courses(resources.pool, int(cursor), size=PAGE_SIZE)
        following = None if after is None else f"{request_base(request)}{request.url.path}?cursor={after}"
        return _json({"next": following, "results": results})

    # before the counts of a course: a key in the path takes all that follows it
    @router.get(
        "/courses/{course_id:path}/enrollments.csv",
        response_class=Response,
        responses={200: {"content": {"text/csv": {}}, "description": "A line for each enrollment, oldest first."}},
    )
    async def export_course(course_id: str, request: Request, caller: CallerDep) -> Response:
        """All enrollments of a course as CSV: username, e-mail, mode, state, since when, cohort."""
        place = await _place(request, caller, course_id)
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", place.spelling)
        headers = {"Content-Disposition": f'attachment; filename="{name}_enrollments.csv"', "Cache-Control": "no-store"}
        if request.method == "HEAD":
            return Response(headers=headers, media_type="text/csv")
        if slots.locked():
            raise TooManyExports
        resources: Resources = request.state.resources

        async def body() -> AsyncIterator[bytes]:
            async with slots:
                connection = await open_export(resources.settings.database_url)
                async for piece in stream_csv(connection, place.n):
                    yield piece

        return StreamingResponse(body(), headers=headers, media_type="text/csv; charset=utf-8")

    @router.get("/courses/{course_id:path}", response_model=CourseCounts)
    async def count_course(course_id: str, request: Request, caller: CallerDep) -> Response:
        """One course's enrollments by mode and state."""
        place = await _place(request, caller, course_id)
        resources: Resources = request.state.resources
        return _json(await queries.count_course(resources.pool, place.n))

    return router


async def _place(request: Request, caller: Caller, course_id: str) -> queries.Place:
    """The course, for global staff and its team. Raises 401, 403, 404."""
    if caller.is_anonymous:
        raise CredentialsMissing
    try:
        key = CourseKey.parse(course_id.removesuffix("/")).canonical
    except InvalidKey as error:
        raise CourseMissing from error
    resources: Resources = request.state.resources

    async def admitted() -> queries.Place | None:
        found = await queries.find_place(resources.pool, key, caller.user_id)
        return found if found and (found.team or caller.is_staff) else None

    place = await resources.facts.eventually(admitted)
    if place is None:
        raise CourseMissing if caller.is_staff else NotOnTeam
    return place


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
