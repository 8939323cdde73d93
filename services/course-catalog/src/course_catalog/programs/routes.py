"""`/api/programs/v1/programs`: read by everybody, written by global staff."""

from datetime import UTC, datetime
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from common import idempotency
from common.app import raw_path
from common.database import ReadSession, WriteSession
from common.identity import Caller, CallerDep, request_base, require_staff
from common.keys import CourseKey, InvalidKey
from common.pagination import InvalidPage, page_count, page_links, parse_page
from course_catalog.bodies import JSON, MERGE_PATCH, BadFields, checked, merged, read_object
from course_catalog.courses.answers import parameter
from course_catalog.courses.parameters import Parameters
from course_catalog.programs.errors import ProgramNotFound
from course_catalog.programs.models import Record
from course_catalog.programs.operations import create_program, delete_program, read_to_change, replace_program
from course_catalog.programs.queries import PUBLIC, Wanted, list_programs, read_family
from course_catalog.programs.rendering import shown
from course_catalog.programs.schemas import NewProgram, ProgramOut, ProgramPage

DEFAULT_PAGE, MAX_PAGE = 20, 100
_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": NewProgram.model_json_schema()}}}}
_PATCH = {"requestBody": {"required": True, "content": {MERGE_PATCH: {"schema": {"type": "object"}}}}}
_FILTERS = [
    parameter("search", "Words of title, type, organizations and courses, or how they begin; best first."),
    parameter("uuids", "Only these; comma separated."),
    parameter("course", "Only programs that this course run is a part of."),
    parameter("org", "Only programs of this authoring organization, in any case."),
    parameter("type", "Only programs of this type, in any case."),
    parameter("status", "`active`, `retired`; for global staff also `unpublished`."),
    parameter("marketing_slug", "Only the program with this slug."),
    parameter("page", "From 1.", "integer"),
    parameter("page_size", "Default 20, at most 100.", "integer"),
]


def _staff(caller: CallerDep) -> Caller:
    return require_staff(caller)


Staff = Annotated[Caller, Depends(_staff)]
router = APIRouter(prefix="/api/programs/v1/programs", tags=["programs"])


@router.get("/", response_model=ProgramPage, openapi_extra={"parameters": _FILTERS})
async def get_programs(request: Request, session: ReadSession, caller: CallerDep) -> ProgramPage:
    """Programs by title, or by relevance; unpublished ones for global staff only."""
    query = request.scope["query_string"].decode("latin-1")
    parameters = Parameters(query)
    wanted = _wanted(parameters, everything=caller.is_staff or caller.api_key)
    page = parse_page(*parameters.page(), default=DEFAULT_PAGE, maximum=MAX_PAGE)
    if page.offset >= 1 << 63:
        raise InvalidPage
    uuids, count = await list_programs(session, wanted, offset=page.offset, limit=page.size)
    pages = page_count(count, page.size)
    if page.number > pages:
        raise InvalidPage
    known = await read_family(session, uuids)
    following, previous = page_links(request_base(request) + raw_path(request), query, page.number, pages)
    results = [shown(known[uuid], known) for uuid in uuids]
    return ProgramPage(count=count, next=following, previous=previous, results=results)


@router.post("/", status_code=201, response_model=ProgramOut, openapi_extra=_BODY)
async def post_program(request: Request, session: WriteSession, caller: Staff) -> Response:
    """Make a program; its uuid may be given. `Idempotency-Key` makes repeating safe."""
    key = request.headers.get(idempotency.HEADER)
    who = caller.username or ""
    if key is not None:
        mark = idempotency.fingerprint("POST", "/api/programs/v1/programs/", await request.body())
        if stored := await idempotency.claim(session, caller=who, key=key, fingerprint=mark):
            return Response(stored.body, stored.status, media_type="application/json")
    given = checked(NewProgram, await read_object(request))
    uuid = await create_program(session, given, now=datetime.now(UTC))
    body = (await _read(session, uuid)).model_dump_json().encode()
    if key is not None:
        await idempotency.store(session, caller=who, key=key, status=201, body=body)
    return Response(body, 201, {"Location": f"/api/programs/v1/programs/{uuid}/"}, media_type="application/json")


@router.get("/{uuid}/", response_model=ProgramOut)
async def get_program(session: ReadSession, uuid: str, caller: CallerDep) -> ProgramOut:
    """One program, with the programs nested in it."""
    found = await _find(session, _uuid(uuid))
    if found is None or (found[0].status not in PUBLIC and not (caller.is_staff or caller.api_key)):
        raise ProgramNotFound
    return found[1]


@router.put("/{uuid}/", response_model=ProgramOut, openapi_extra=_BODY)
async def put_program(request: Request, session: WriteSession, _: Staff, uuid: str) -> ProgramOut:
    """Make a program what the body says."""
    number = _uuid(uuid)
    given = checked(NewProgram, {**await read_object(request), "uuid": str(number)})
    await replace_program(session, number, given, now=datetime.now(UTC))
    return await _read(session, number)


@router.patch("/{uuid}/", response_model=ProgramOut, openapi_extra=_PATCH)
async def patch_program(request: Request, session: WriteSession, _: Staff, uuid: str) -> ProgramOut:
    """Change parts of a program, as a JSON merge patch; a list is replaced whole."""
    number = _uuid(uuid)
    await read_to_change(session, number)
    now = (await _read(session, number)).model_dump(mode="json")
    patch = await read_object(request, (MERGE_PATCH, *JSON))
    wanted = cast("dict[str, object]", merged(now, patch)) | {"uuid": str(number)}
    await replace_program(session, number, checked(NewProgram, wanted), now=datetime.now(UTC))
    return await _read(session, number)


@router.delete("/{uuid}/", status_code=204)
async def remove_program(session: WriteSession, _: Staff, uuid: str) -> Response:
    """End a program."""
    await delete_program(session, _uuid(uuid), now=datetime.now(UTC))
    return Response(status_code=204)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise ProgramNotFound from error


async def _find(session: ReadSession, uuid: UUID) -> tuple[Record, ProgramOut] | None:
    known = await read_family(session, [uuid])
    record = known.get(uuid)
    return None if record is None else (record, shown(record, known))


async def _read(session: WriteSession, uuid: UUID) -> ProgramOut:
    found = await _find(session, uuid)
    if found is None:
        raise ProgramNotFound
    return found[1]


def _wanted(parameters: Parameters, *, everything: bool) -> Wanted:
    """What a list is asked for. Raises `BadFields`."""
    texts = {name: parameters.text(name).strip() or None for name in ("type", "status", "org", "marketing_slug")}
    course, uuids = parameters.text("course").strip() or None, parameters.text("uuids").strip()
    bad: dict[str, dict[str, str]] = {}
    try:
        wanted = tuple(UUID(part.strip()) for part in uuids.split(",")) if uuids else ()
    except ValueError:
        wanted, bad["uuids"] = (), {"developer_message": "These are not uuids."}
    if course is not None:
        try:
            course = CourseKey.parse(course.replace(" ", "+")).canonical
        except InvalidKey:
            bad["course"] = {"developer_message": f"'{course}' is not a valid course key."}
    if bad:
        raise BadFields(field_errors=bad)
    search = parameters.text("search").strip() or parameters.text("search_term").strip() or None
    return Wanted(everything=everything, uuids=wanted, course=course, search=search, **texts)
