"""`POST /api/enrollment/v1/unenroll/`, the call of a retirement pipeline."""

from datetime import UTC, datetime

import asyncpg
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from common.identity import CallerDep
from common.resources import Resources
from enrollment.bodies import read_fields
from enrollment.callers import refuse_staff_method, require_global_staff
from enrollment.openapi import described_body
from enrollment.retirement import operations
from enrollment.retirement.errors import NotRetiring, UsernameMissing
from enrollment.retirement.schemas import UnenrollIn
from enrollment.transactions import in_transaction

router = APIRouter(prefix="/api/enrollment/v1", tags=["enrollment"])


@router.post("/unenroll/", response_model=list[str], openapi_extra=described_body(UnenrollIn))
async def unenroll(request: Request, caller: CallerDep) -> Response:
    """End all enrollments of a learner who has asked to be forgotten; answers the orgs they were with."""
    require_global_staff(caller)
    username = (await read_fields(request)).get("username")
    if username is None:
        raise UsernameMissing
    resources: Resources = request.state.resources
    user_id = None
    if isinstance(username, str) and username:
        user_id = await resources.facts.eventually(lambda: operations.find_retiring(resources.pool, username))
    if user_id is None:
        raise NotRetiring
    learner, actor = user_id, caller.username or ""

    async def work(connection: asyncpg.Connection) -> list[str]:
        return await operations.unenroll_everywhere(connection, learner, actor=actor, now=datetime.now(UTC))

    orgs = await in_transaction(resources, work)
    return JSONResponse(orgs) if orgs else Response(status_code=204)


router.add_api_route(
    "/unenroll/", refuse_staff_method, methods=["GET", "PUT", "PATCH", "DELETE", "OPTIONS"], include_in_schema=False
)
