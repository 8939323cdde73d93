"""`POST /api/enrollment/v1/unenroll/`, the call of a retirement pipeline."""

from datetime import UTC, datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from common.database import raw
from common.identity import CallerDep
from common.resources import Resources
from enrollment.bodies import read_fields
from enrollment.callers import require_global_staff
from enrollment.openapi import described_body
from enrollment.retirement import operations
from enrollment.retirement.errors import NotRetiring, UsernameMissing
from enrollment.retirement.schemas import UnenrollIn

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
    async with resources.sessions.begin() as session:
        orgs = await operations.unenroll_everywhere(
            await raw(session), user_id, actor=caller.username or "", now=datetime.now(UTC)
        )
    return JSONResponse(orgs) if orgs else Response(status_code=204)
