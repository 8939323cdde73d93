"""The list of a course's files, and what is known about one of them; for the team."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.identity import Caller, CallerDep, request_base
from common.keys import CourseKey
from common.resources import Resources
from content.access import Standing, find_standing, require_team
from content.assets.errors import AssetNotFound
from content.assets.listing import print_asset, print_page, read_question
from content.assets.pages import asset_page, assets_page
from content.assets.places import find_course_and_name
from content.assets.queries import Listing, find_listing, list_assets
from content.bodies import json_answer
from content.courses.errors import CourseNotFound
from content.items.negotiation import in_either_form

router = APIRouter()


@router.get("/assets/{place:path}", summary="A course's files")
@router.get("/api/content/v1/assets/{place:path}", summary="A course's files", operation_id="list_assets_v1")
async def read_assets(request: Request, place: str, caller: CallerDep) -> Response:
    """`…/{course}` is the list, `…/{course}/{asset}` one of them; for the team. JSON or a page."""
    resources: Resources = request.state.resources

    async def json() -> Response:
        return await _answer(request, place, caller)

    async def html() -> str:
        course, name = await find_course_and_name(resources.pool, place)
        standing = await _open(resources, caller, course)
        if name is not None:
            return asset_page(course, standing.spelling, await _find(resources, course, name), user=caller.username)
        question = read_question(request.query_params)
        page = await list_assets(resources.pool, course, question.wanted)
        return assets_page(course, standing.spelling, question, page, user=caller.username)

    return await in_either_form(request, caller, json=json, html=html)


@router.get("/api/contentstore/v0/file_assets/{place:path}", summary="A course's files (REST v0)")
async def read_file_assets(request: Request, place: str, caller: CallerDep) -> Response:
    """The same list, always as JSON."""
    return await _answer(request, place, caller)


async def _answer(request: Request, place: str, caller: Caller) -> Response:
    resources: Resources = request.state.resources
    course, name = await find_course_and_name(resources.pool, place)
    await _open(resources, caller, course)
    if name is not None:
        return json_answer(print_asset(course, await _find(resources, course, name), request_base(request)))
    question = read_question(request.query_params)
    page = await list_assets(resources.pool, course, question.wanted)
    return json_answer(print_page(course, question, page, request_base(request)))


async def _open(resources: Resources, caller: Caller, course: CourseKey) -> Standing:
    """Raises `Unauthorized`, `NotOnTeam`, `CourseNotFound`."""
    standing = await find_standing(resources.pool, course, caller.user_id)
    require_team(caller, standing, course)
    if standing is None:
        raise CourseNotFound
    return standing


async def _find(resources: Resources, course: CourseKey, name: str) -> Listing:
    """Raises `AssetNotFound`."""
    listing = await find_listing(resources.pool, course, name)
    if listing is None:
        raise AssetNotFound
    return listing
