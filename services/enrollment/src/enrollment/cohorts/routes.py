"""`/api/cohorts/v1/`, for a course's team and global staff."""

from dataclasses import dataclass
from typing import Final

import orjson
from fastapi import APIRouter
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from common.database import raw
from common.identity import Caller, CallerDep, request_base
from common.keys import CourseKey, InvalidKey
from common.pagination import PageRequest, page_count, page_links, parse_page
from common.resources import Resources
from enrollment.account_copies.queries import wait_for_accounts
from enrollment.bodies import read_fields
from enrollment.cohorts import operations, queries
from enrollment.cohorts.errors import (
    BadOrdering,
    CohortIdMissing,
    CohortMissing,
    CourseMissing,
    NotOnTeam,
    UsernameMissing,
    WrongEndpoint,
)
from enrollment.cohorts.schemas import (
    CohortChanges,
    CohortIn,
    CohortOut,
    CohortUserPage,
    UsersAdded,
    UsersIn,
    read_changes,
    read_new,
    read_users,
)
from enrollment.enrollments.errors import CredentialsMissing
from enrollment.openapi import described_body
from enrollment.transactions import in_transaction

_MAX_PAGE: Final = 100
_MAX_ID: Final = 2**63 - 1


class _Digits(Convertor[int]):
    """A number of no more digits than Python reads; `int` of Starlette takes any, and raises for what is longer."""

    regex = "[0-9]{1,4000}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("digits", _Digits())
router = APIRouter(prefix="/api/cohorts/v1/courses", tags=["cohorts"])


@dataclass(frozen=True, slots=True)
class _Place:
    resources: Resources
    course_id: str
    n: int

    async def cohort(self, cohort_id: int) -> dict[str, object]:
        """Raises `CohortMissing`."""
        found = None
        if cohort_id <= _MAX_ID:
            found = await queries.find_cohort(self.resources.pool, self.n, cohort_id)
        if found is None:
            raise CohortMissing(cohort_id, self.course_id)
        return found


async def _place(request: Request, caller: Caller, course_id: str) -> _Place:
    """The course, for those who may see its cohorts. Raises 401, 403, 404."""
    if caller.is_anonymous:
        raise CredentialsMissing
    try:
        key = CourseKey.parse(course_id).canonical
    except InvalidKey as error:
        raise CourseMissing from error
    resources: Resources = request.state.resources

    async def admitted() -> queries.Place | None:
        found = await queries.find_place(resources.pool, key, caller.user_id)
        return found if found and (found.team or caller.is_staff) else None

    place = await resources.facts.eventually(admitted)
    if place is None:
        known = await queries.find_place(resources.pool, key, caller.user_id)
        raise NotOnTeam if known or not caller.is_staff else CourseMissing
    return _Place(resources, course_id, place.n)


def _json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def _page(request: Request, *, default: int) -> PageRequest:
    query = request.query_params
    return parse_page(query.get("page"), query.get("page_size"), default=default, maximum=_MAX_PAGE)


@router.get("/{course_id:path}/cohorts/", response_model=list[CohortOut])
async def list_cohorts(course_id: str, request: Request, caller: CallerDep) -> Response:
    """The course's cohorts by name."""
    place = await _place(request, caller, course_id)
    ordering = request.query_params.get("ordering", "asc").lower()
    if ordering not in ("asc", "desc"):
        raise BadOrdering
    page = _page(request, default=_MAX_PAGE)
    found = await queries.list_cohorts(
        place.resources.pool, place.n, descending=ordering == "desc", offset=page.offset, size=page.size
    )
    return _json(found)


@router.post("/{course_id:path}/cohorts/", response_model=CohortOut, openapi_extra=described_body(CohortIn))
async def create_cohort(course_id: str, request: Request, caller: CallerDep) -> Response:
    """A new cohort."""
    place = await _place(request, caller, course_id)
    wanted = read_new(await read_fields(request))
    async with place.resources.sessions.begin() as session:
        made = await operations.create(await raw(session), place.n, wanted)
    return _json(await place.cohort(made))


@router.patch("/{course_id:path}/cohorts/", include_in_schema=False)
async def refuse_change_of_all(course_id: str, request: Request, caller: CallerDep) -> Response:
    """A change names its cohort."""
    await _place(request, caller, course_id)
    raise CohortIdMissing


@router.get("/{course_id:path}/cohorts/{cohort_id:digits}", response_model=CohortOut)
async def get_cohort(course_id: str, cohort_id: int, request: Request, caller: CallerDep) -> Response:
    """One cohort."""
    place = await _place(request, caller, course_id)
    return _json(await place.cohort(cohort_id))


@router.patch(
    "/{course_id:path}/cohorts/{cohort_id:digits}", status_code=204, openapi_extra=described_body(CohortChanges)
)
async def change_cohort(course_id: str, cohort_id: int, request: Request, caller: CallerDep) -> Response:
    """Another name, assignment type or group."""
    place = await _place(request, caller, course_id)
    wanted = read_changes(await read_fields(request))
    await place.cohort(cohort_id)
    async with place.resources.sessions.begin() as session:
        await operations.change(await raw(session), place.n, cohort_id, wanted)
    return Response(status_code=204)


@router.post("/{course_id:path}/cohorts/{cohort_id:digits}", include_in_schema=False)
async def refuse_post(course_id: str, cohort_id: int, request: Request, caller: CallerDep) -> Response:
    """A cohort is made at the parent."""
    await _place(request, caller, course_id)
    raise WrongEndpoint


@router.get("/{course_id:path}/cohorts/{cohort_id:digits}/users/", response_model=CohortUserPage)
@router.get("/{course_id:path}/cohorts/{cohort_id:digits}/users/{username}", include_in_schema=False)
async def list_users(course_id: str, cohort_id: int, request: Request, caller: CallerDep) -> Response:
    """A page of the cohort's members."""
    place = await _place(request, caller, course_id)
    count = (await place.cohort(cohort_id))["user_count"]
    page = _page(request, default=10)
    total = count if isinstance(count, int) else 0
    pages = page_count(total, page.size)
    if page.number > pages:
        raise CourseMissing("Invalid page.")
    url = f"{request_base(request)}{request.url.path}"
    following, previous = page_links(url, request.url.query, page.number, pages)
    body = {
        "next": following,
        "previous": previous,
        "count": total,
        "num_pages": pages,
        "current_page": page.number,
        "start": page.offset,
        "results": await queries.list_members(place.resources.pool, cohort_id, offset=page.offset, size=page.size),
    }
    return _json(body)


@router.post(
    "/{course_id:path}/cohorts/{cohort_id:digits}/users/",
    response_model=UsersAdded,
    openapi_extra=described_body(UsersIn),
)
async def add_users(course_id: str, cohort_id: int, request: Request, caller: CallerDep) -> Response:
    """Put learners into the cohort, out of any other; addresses without an account wait for one."""
    return await _add(course_id, cohort_id, None, request, caller)


@router.post("/{course_id:path}/cohorts/{cohort_id:digits}/users/{username}", response_model=UsersAdded)
async def add_user(course_id: str, cohort_id: int, username: str, request: Request, caller: CallerDep) -> Response:
    """Put one learner into the cohort, out of any other."""
    return await _add(course_id, cohort_id, _storable(username), request, caller)


def _storable(username: str) -> str:
    """PostgreSQL takes no NUL, and nobody's name has one."""
    return username.replace("\x00", "\ufffd")


async def _add(course_id: str, cohort_id: int, username: str | None, request: Request, caller: Caller) -> Response:
    place = await _place(request, caller, course_id)
    await place.cohort(cohort_id)
    users = read_users(await read_fields(request), username)
    await wait_for_accounts(place.resources, {user for user in users if isinstance(user, str) and "@" not in user})
    return _json(
        await in_transaction(
            place.resources, lambda connection: operations.add_users(connection, place.n, cohort_id, users)
        )
    )


@router.delete("/{course_id:path}/cohorts/{cohort_id:digits}/users/", include_in_schema=False)
async def refuse_removal_of_all(course_id: str, cohort_id: int, request: Request, caller: CallerDep) -> Response:
    """A removal names its learner."""
    await _place(request, caller, course_id)
    raise UsernameMissing


@router.delete("/{course_id:path}/cohorts/{cohort_id:digits}/users/{username}", status_code=204)
async def remove_user(course_id: str, cohort_id: int, username: str, request: Request, caller: CallerDep) -> Response:
    """Take a learner out of the cohort."""
    place = await _place(request, caller, course_id)
    await place.cohort(cohort_id)
    pool = place.resources.pool
    user_id = await place.resources.facts.eventually(lambda: operations.find_user(pool, _storable(username)))
    async with place.resources.sessions.begin() as session:
        await operations.remove_user(await raw(session), place.n, cohort_id, user_id)
    return Response(status_code=204)
