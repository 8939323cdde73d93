"""`/checklists/{course}[/{index}]`: for the team of a course."""

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.database import WriteSession, raw
from common.errors import NotAcceptable
from common.identity import Caller, CallerDep
from common.keys import CourseKey, InvalidKey
from common.pages import prefers_html
from content.access import Standing, find_standing, require_team
from content.bodies import json_answer, read_object
from content.checklists.errors import BadIndex, OnlyJson
from content.checklists.models import TEMPLATE, expand, print_checklist, read_ticks
from content.checklists.operations import tick_items
from content.checklists.pages import checklists_page
from content.checklists.queries import read_ticked
from content.courses.errors import CourseNotFound
from content.courses.queries import find_place
from content.items.negotiation import in_either_form
from content.versions.queries import Connection

router = APIRouter(tags=["checklists"])
_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class _Opened:
    course: CourseKey
    standing: Standing
    index: str | None

    @property
    def addresses(self) -> dict[str, str]:
        root = self.course.usage("course", "course")
        return expand(self.standing.spelling, str(root))


@router.get("/checklists/{place:path}", summary="A course's checklists")
@router.get("/api/content/v1/checklists/{place:path}", summary="A course's checklists", operation_id="checklists_v1")
async def get_checklists(request: Request, place: str, caller: CallerDep) -> Response:
    """All lists, whichever index the address names. JSON or a page."""
    pool = request.state.resources.pool

    async def json() -> Response:
        opened = await _open(pool, caller, place)
        ticked = await read_ticked(pool, opened.course)
        return json_answer([print_checklist(checklist, ticked, opened.addresses) for checklist in TEMPLATE])

    async def html() -> str:
        opened = await _open(pool, caller, place)
        ticked = await read_ticked(pool, opened.course)
        return checklists_page(opened.standing.spelling, TEMPLATE, ticked, opened.addresses, user=caller.username)

    return await in_either_form(request, caller, json=json, html=html)


@router.post("/checklists/{place:path}", summary="Tick items of a checklist")
@router.put("/checklists/{place:path}", summary="Tick items of a checklist")
@router.post("/api/content/v1/checklists/{place:path}", summary="Tick items", operation_id="post_checklist_v1")
@router.put("/api/content/v1/checklists/{place:path}", summary="Tick items", operation_id="put_checklist_v1")
async def put_checklist(request: Request, place: str, session: WriteSession, caller: CallerDep) -> Response:
    """`…/{course}/{index}`: of the list sent, `is_checked` of each item is kept; answers the list as it is now."""
    connection = await raw(session)
    opened = await _open(connection, caller, place)
    try:
        if prefers_html(request):
            raise OnlyJson
    except NotAcceptable as refusal:
        raise OnlyJson from refusal
    index = _index(opened.index)
    checklist = TEMPLATE[index]
    ticks = read_ticks(checklist, await read_object(request, limit=_LIMIT))
    await tick_items(session, opened.course, checklist.name, ticks, user_id=caller.user_id)
    ticked = await read_ticked(connection, opened.course)
    return json_answer(print_checklist(checklist, ticked, opened.addresses))


def _index(text: str | None) -> int:
    """Raises `BadIndex`."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) >= len(TEMPLATE):
        raise BadIndex
    return int(text)


async def _open(connection: Connection, caller: Caller, place: str) -> _Opened:
    """Raises 401 for the anonymous, `CourseNotFound`, `NotOnTeam`."""
    course, index = await _split(connection, place.strip("/"))
    standing = await find_standing(connection, course, caller.user_id) if course else None
    if course is None or course.is_library or standing is None:
        raise CourseNotFound
    require_team(caller, standing, course)
    return _Opened(course, standing, index)


async def _split(connection: Connection, place: str) -> tuple[CourseKey | None, str | None]:
    """The course, in whichever spelling (a branch does no harm), and what stands behind it."""
    course = await _find(connection, place)
    if course is not None:
        return course, None
    rest, _, last = place.rpartition("/")
    return (await _find(connection, rest), last) if rest else (None, None)


async def _find(connection: Connection, text: str) -> CourseKey | None:
    try:
        found = await find_place(connection, text)
    except InvalidKey:
        return None
    return found.course if found is not None and found.block is None else None
