"""`/api/bulk_enroll/v1/bulk_enroll`, for global staff."""

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.identity import CallerDep
from common.resources import Resources
from enrollment.bodies import read_fields
from enrollment.bulk_enroll import operations
from enrollment.bulk_enroll.schemas import BulkEnrollIn, BulkEnrollOut, read_bulk
from enrollment.callers import refuse_staff_method, require_global_staff
from enrollment.openapi import described_body

router = APIRouter(prefix="/api/bulk_enroll/v1", tags=["enrollment"])


@router.post("/bulk_enroll", response_model=BulkEnrollOut, openapi_extra=described_body(BulkEnrollIn))
async def bulk_enroll(request: Request, caller: CallerDep) -> Response:
    """Enroll or unenroll many learners in some courses; always 200, with an outcome for each. Nobody is mailed."""
    require_global_staff(caller)
    asked = read_bulk(await read_fields(request))
    resources: Resources = request.state.resources
    found = await operations.bulk_enroll(resources, asked, actor=caller.username or "")
    head = {"action": asked.action, "auto_enroll": asked.auto_enroll}
    courses = {course_id: {**head, "results": results} for course_id, results in found.items()}
    body = {**head, "email_students": asked.email_students, "courses": courses}
    return Response(orjson.dumps(body), media_type="application/json")


router.add_api_route(
    "/bulk_enroll", refuse_staff_method, methods=["GET", "PUT", "PATCH", "DELETE", "OPTIONS"], include_in_schema=False
)
