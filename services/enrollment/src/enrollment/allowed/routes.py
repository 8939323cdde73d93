"""`/api/enrollment/v1/enrollment_allowed/`, for global staff."""

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from common.database import WriteSession, raw
from common.identity import CallerDep
from common.resources import Resources
from enrollment.allowed import operations, queries
from enrollment.allowed.schemas import AllowedIn, AllowedKey, AllowedOut, read_auto_enroll, read_named
from enrollment.bodies import read_fields
from enrollment.callers import refuse_staff_method, require_global_staff
from enrollment.openapi import described_body, described_query

router = APIRouter(prefix="/api/enrollment/v1/enrollment_allowed", tags=["enrollment"])


@router.get("/", response_model=list[AllowedOut], openapi_extra=described_query(email="Whose; the caller's own."))
async def list_allowed(request: Request, caller: CallerDep) -> Response:
    """The entries of an e-mail address."""
    require_global_staff(caller)
    email = request.query_params.get("email") or caller.email or ""
    resources: Resources = request.state.resources
    found = await queries.list_allowed(resources.pool, email.replace("\x00", "\ufffd"))
    return Response(orjson.dumps(found), media_type="application/json")


@router.post("/", status_code=201, response_model=AllowedOut, openapi_extra=described_body(AllowedIn))
async def allow(request: Request, caller: CallerDep, session: WriteSession) -> Response:
    """Let an e-mail address enroll, also by invitation only and outside the window."""
    require_global_staff(caller)
    fields = await read_fields(request)
    named, auto_enroll = read_named(fields), read_auto_enroll(fields)
    made = await operations.allow(await raw(session), named, auto_enroll=auto_enroll, actor=caller.username or "")
    return Response(orjson.dumps(made), 201, media_type="application/json")


@router.delete("/", status_code=204, openapi_extra=described_body(AllowedKey))
async def disallow(request: Request, caller: CallerDep, session: WriteSession) -> Response:
    """Take an entry back; who has enrolled by it stays enrolled."""
    require_global_staff(caller)
    await operations.disallow(await raw(session), read_named(await read_fields(request)))
    return Response(status_code=204)


router.add_api_route("/", refuse_staff_method, methods=["PUT", "PATCH", "OPTIONS"], include_in_schema=False)
