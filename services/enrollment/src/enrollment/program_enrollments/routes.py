"""`/api/program_enrollments/v1/` for staff: who is in programs and in their courses, up to 25 records a call."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import asyncpg
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.app import answer_other_method
from enrollment.program_enrollments import queries
from enrollment.program_enrollments.courses import write_course_enrollments
from enrollment.program_enrollments.errors import (
    CourseNotInProgram,
    OrganizationMissing,
    OrganizationNotFound,
    ProgramNotFound,
    ResetDisabled,
)
from enrollment.program_enrollments.http import (
    PlainRoute,
    answer,
    described,
    page_answer,
    program_in_path,
    read_json,
    resources_of,
    run_in_path,
    staff_caller,
)
from enrollment.program_enrollments.maintenance import is_organization_known, reset_organization
from enrollment.program_enrollments.models import (
    COURSE_STATUSES,
    PROGRAM_STATUSES,
    CourseRecord,
    Failure,
    Method,
    status_code,
)
from enrollment.program_enrollments.operations import Author, write_program_enrollments
from enrollment.program_enrollments.schemas import (
    CourseEnrollmentIn,
    CourseEnrollmentPage,
    ProgramEnrollmentIn,
    ProgramEnrollmentPage,
    ResetIn,
    read_course_record,
    read_key,
    read_program_record,
    read_records,
    read_status,
)
from enrollment.programs.models import Program, fold
from enrollment.programs.queries import Run, lock_program
from enrollment.settings import Settings
from enrollment.transactions import in_transaction

router = APIRouter(prefix="/api/program_enrollments/v1", tags=["program enrollments"], route_class=PlainRoute)

PROGRAM: Final = "/programs/{program_uuid}/enrollments/"
COURSE: Final = "/programs/{program_uuid}/courses/{course_id:path}/enrollments/"
GRADES: Final = "/programs/{program_uuid}/courses/{course_id:path}/grades/"
_CURSOR: Final = "From the links of a page."
_SIZE: Final = "100 by default, at most 1000."
Records = Sequence[Mapping[str, object]]


def _page_place(request: Request) -> tuple[queries.Cursor | None, int]:
    text = request.query_params.get("cursor")
    return queries.parse_cursor(text) if text else None, queries.page_size(request.query_params.get("page_size"))


def _fields(request: Request) -> list[str]:
    return request.query_params.get("fields", "").split(",")


@router.get(
    PROGRAM,
    response_model=ProgramEnrollmentPage,
    openapi_extra=described(
        cursor=_CURSOR, page_size=_SIZE, fields="`username` and `email` are shown only when they are named here."
    ),
)
async def list_program_enrollments(request: Request) -> Response:
    """The keys of a program with their statuses, oldest first, by cursor. Global staff."""
    staff_caller(request)
    program = await program_in_path(request)
    cursor, size = _page_place(request)
    pool = resources_of(request).pool
    page = await queries.list_program_enrollments(pool, program.uuid, cursor, size=size, fields=_fields(request))
    return page_answer(request, page)


@router.post(PROGRAM, status_code=201, openapi_extra=described(ProgramEnrollmentIn))
async def create_program_enrollments(request: Request) -> Response:
    """Enroll up to 25 keys. 201, 207 or 422 with a map from each key to the status written or why not."""
    return await _write_program(request, "POST", success=201)


@router.patch(PROGRAM, openapi_extra=described(ProgramEnrollmentIn))
async def change_program_enrollments(request: Request) -> Response:
    """Change the status of up to 25 keys. 200, 207 or 422 with a map."""
    return await _write_program(request, "PATCH", success=200)


@router.put(PROGRAM, openapi_extra=described(ProgramEnrollmentIn))
async def put_program_enrollments(request: Request) -> Response:
    """Enroll or change up to 25 keys. 200, 207 or 422 with a map."""
    return await _write_program(request, "PUT", success=200)


async def _write_program(request: Request, method: Method, *, success: int) -> Response:
    caller = staff_caller(request)
    program = await program_in_path(request)
    records = read_records(await read_json(request))
    outcomes, single = _split(records)
    wanted = [
        read_program_record(record, method, known_status=read_status(record) in PROGRAM_STATUSES) for record in single
    ]

    async def write(connection: asyncpg.Connection) -> list[str]:
        locked = await lock_program(connection, program.uuid)
        if locked is None:
            raise ProgramNotFound
        author = Author(caller.username)
        return await write_program_enrollments(connection, locked, wanted, method, author=author)

    return await _outcome(
        request, outcomes, [record.key for record in wanted], write if wanted else None, success=success
    )


def _split(records: Records) -> tuple[dict[str, str], Records]:
    """Keys that occur more than once, under their last spelling; and the records of the others."""
    keys = [(record, read_key(record)) for record in records]
    counts = Counter(fold(key) for _, key in keys)
    last = {fold(key): key for _, key in keys}
    repeated: dict[str, str] = {last[folded]: Failure.DUPLICATED for folded, count in counts.items() if count > 1}
    return repeated, [record for record, key in keys if counts[fold(key)] == 1]


async def _outcome(
    request: Request,
    outcomes: dict[str, str],
    keys: Sequence[str],
    write: Callable[[asyncpg.Connection], Awaitable[list[str]]] | None,
    *,
    success: int,
) -> Response:
    if write is not None:
        written = await in_transaction(resources_of(request), write)
        outcomes |= dict(zip(keys, written, strict=True))
    return answer(outcomes, status_code(outcomes, success=success))


@router.get(
    COURSE,
    response_model=CourseEnrollmentPage,
    openapi_extra=described(
        course=True, cursor=_CURSOR, page_size=_SIZE, fields="`course_staff` is shown only when it is named here."
    ),
)
async def list_course_enrollments(request: Request) -> Response:
    """The keys of a program in one course, oldest first, by cursor. Global staff."""
    staff_caller(request)
    program = await program_in_path(request)
    run = await run_in_path(request, program, member=False)
    cursor, size = _page_place(request)
    page = await queries.list_course_enrollments(
        resources_of(request).pool, program.uuid, (run.n, run.key), cursor, size=size, fields=_fields(request)
    )
    return page_answer(request, page)


@router.post(COURSE, openapi_extra=described(CourseEnrollmentIn, course=True))
async def create_course_enrollments(request: Request) -> Response:
    """Put up to 25 keys of the program into the course. 200, 207 or 422 with a map."""
    return await _write_course(request, "POST")


@router.patch(COURSE, openapi_extra=described(CourseEnrollmentIn, course=True))
async def change_course_enrollments(request: Request) -> Response:
    """Activate or deactivate up to 25 keys in the course. 200, 207 or 422 with a map."""
    return await _write_course(request, "PATCH")


@router.put(COURSE, openapi_extra=described(CourseEnrollmentIn, course=True))
async def put_course_enrollments(request: Request) -> Response:
    """Put up to 25 keys into the course, or change them. 200, 207 or 422 with a map."""
    return await _write_course(request, "PUT")


async def _write_course(request: Request, method: Method) -> Response:
    caller = staff_caller(request)
    program, run = await _member(request)
    outcomes, wanted = _course_records(read_records(await read_json(request)), run)

    async def write(connection: asyncpg.Connection) -> list[str]:
        locked = await lock_program(connection, program.uuid)
        if locked is None:
            raise ProgramNotFound
        return await write_course_enrollments(
            connection, locked, wanted, method, author=Author(caller.username), now=datetime.now(UTC)
        )

    return await _outcome(request, outcomes, [record.key for record in wanted], write if wanted else None, success=200)


def _course_records(records: Records, run: Run) -> tuple[dict[str, str], list[CourseRecord]]:
    """The first record of each key is read whole, also when the key comes again and none of them counts."""
    first: dict[str, CourseRecord] = {}
    repeated: dict[str, str] = {}
    for record in records:
        key = read_key(record)
        if fold(key) in first:
            repeated[fold(key)] = key
            continue
        read = read_course_record(record, run, known_status=read_status(record) in COURSE_STATUSES)
        first[read.folded] = read
    outcomes: dict[str, str] = dict.fromkeys(repeated.values(), Failure.DUPLICATED)
    return outcomes, [record for folded, record in first.items() if folded not in repeated]


async def _member(request: Request) -> tuple[Program, Run]:
    program = await program_in_path(request)
    run = await run_in_path(request, program, member=True)
    if not run.is_member:
        raise CourseNotInProgram
    return program, run


@router.get(GRADES, status_code=204, openapi_extra=described(course=True))
async def list_grades(request: Request) -> Response:
    """Nobody here keeps grades: always none. Global staff."""
    staff_caller(request)
    await _member(request)
    return Response(status_code=204)


@router.api_route(PROGRAM, methods=["DELETE", "OPTIONS"], include_in_schema=False)
@router.api_route(COURSE, methods=["DELETE", "OPTIONS"], include_in_schema=False)
async def refuse_method(request: Request) -> Response:
    """Who may call comes first, also where the method is not served."""
    staff_caller(request)
    return answer_other_method(request, "GET, HEAD, OPTIONS, PATCH, POST, PUT")


@router.api_route(GRADES, methods=["PUT", "PATCH", "POST", "DELETE", "OPTIONS"], include_in_schema=False)
async def refuse_grading(request: Request) -> Response:
    """The same of grades, which are only read."""
    staff_caller(request)
    return answer_other_method(request, "GET, HEAD, OPTIONS")


@router.post(
    "/integration-reset",
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": ResetIn.model_json_schema()}}}
    },
)
async def reset_integration(request: Request) -> Response:
    """Sandboxes only: empty an organization's programs and retire the accounts linked to its keys. Global staff."""
    caller = staff_caller(request)
    resources = resources_of(request)
    settings = resources.settings
    if not isinstance(settings, Settings) or not settings.program_reset:
        raise ResetDisabled
    body = await read_json(request)
    name = body.get("organization") if isinstance(body, dict) else None
    if not isinstance(name, str) or not name.strip():
        raise OrganizationMissing
    if "\x00" in name:
        raise OrganizationNotFound(name)

    async def reset(connection: asyncpg.Connection) -> bool:
        if not await is_organization_known(connection, name):
            return False
        await reset_organization(connection, name, author=Author(caller.username), now=datetime.now(UTC))
        return True

    if not await in_transaction(resources, reset):
        raise OrganizationNotFound(name)
    return answer("success")
