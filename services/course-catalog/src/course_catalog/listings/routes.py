"""`/api/catalog/v1/listing` and `/marketing`: the catalogue's own settings of a course, for its team."""

from datetime import UTC, datetime
from typing import cast

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request

from common.database import WriteSession
from common.identity import CallerDep
from common.resources import Resources
from course_catalog.bodies import JSON, MERGE_PATCH, checked, merged, read_object
from course_catalog.courses.access import require_team
from course_catalog.listings.models import AUDIENCES, CourseOwn
from course_catalog.listings.operations import read_to_change, set_marketing, set_rule
from course_catalog.listings.queries import find_own
from course_catalog.listings.schemas import ListingRule, ListingRuleOut, MarketingOut, MarketingTexts

router = APIRouter(prefix="/api/catalog/v1", tags=["listing rules and marketing"])


@router.get("/listing/{course:path}")
async def get_rule(request: Request, course: str, caller: CallerDep) -> ListingRuleOut:
    """Who may find the course; for its team, its organization's staff and global staff."""
    place = await require_team(request.state.resources, caller, course)
    return _rule_out(place.spelling, await _stored(request, place.key))


@router.put("/listing/{course:path}", openapi_extra={"requestBody": {"content": {"application/json": {}}}})
async def put_rule(request: Request, course: str, caller: CallerDep, session: WriteSession) -> ListingRuleOut:
    """Give the course this rule; what is left out is as for a new course."""
    place = await require_team(request.state.resources, caller, course)
    rule = checked(ListingRule, await read_object(request))
    own = await set_rule(session, place.key, rule, by=caller.username or "", now=datetime.now(UTC))
    return _rule_out(place.spelling, own)


@router.patch("/listing/{course:path}", openapi_extra={"requestBody": {"content": {MERGE_PATCH: {}}}})
async def patch_rule(request: Request, course: str, caller: CallerDep, session: WriteSession) -> ListingRuleOut:
    """Change parts of the rule, as a JSON merge patch."""
    place = await require_team(request.state.resources, caller, course)
    patch = await read_object(request, (MERGE_PATCH, *JSON))
    now = _fields(ListingRule, _rule_out(place.spelling, await read_to_change(session, place.key)))
    rule = checked(ListingRule, cast("dict[str, object]", merged(now, patch)))
    own = await set_rule(session, place.key, rule, by=caller.username or "", now=datetime.now(UTC))
    return _rule_out(place.spelling, own)


@router.get("/marketing/{course:path}")
async def get_marketing(request: Request, course: str, caller: CallerDep) -> MarketingOut:
    """The catalogue's own texts and pictures; for the course's team and global staff."""
    place = await require_team(request.state.resources, caller, course)
    return _marketing_out(place.spelling, await _stored(request, place.key))


@router.put("/marketing/{course:path}", openapi_extra={"requestBody": {"content": {"application/json": {}}}})
async def put_marketing(request: Request, course: str, caller: CallerDep, session: WriteSession) -> MarketingOut:
    """Give the course these; what is left out is the authors' again."""
    place = await require_team(request.state.resources, caller, course)
    texts = checked(MarketingTexts, await read_object(request))
    own = await set_marketing(session, place.key, texts, by=caller.username or "", now=datetime.now(UTC))
    return _marketing_out(place.spelling, own)


@router.patch("/marketing/{course:path}", openapi_extra={"requestBody": {"content": {MERGE_PATCH: {}}}})
async def patch_marketing(request: Request, course: str, caller: CallerDep, session: WriteSession) -> MarketingOut:
    """Change some of them, as a JSON merge patch."""
    place = await require_team(request.state.resources, caller, course)
    patch = await read_object(request, (MERGE_PATCH, *JSON))
    now = _fields(MarketingTexts, _marketing_out(place.spelling, await read_to_change(session, place.key)))
    texts = checked(MarketingTexts, cast("dict[str, object]", merged(now, patch)))
    own = await set_marketing(session, place.key, texts, by=caller.username or "", now=datetime.now(UTC))
    return _marketing_out(place.spelling, own)


async def _stored(request: Request, key: str) -> CourseOwn | None:
    resources: Resources = request.state.resources
    async with resources.sessions() as session:
        return await find_own(session, key)


def _fields(model: type[BaseModel], out: BaseModel) -> dict[str, object]:
    return out.model_dump(include=set(model.model_fields), exclude_none=True)


def _rule_out(spelling: str, own: CourseOwn | None) -> ListingRuleOut:
    if own is None:
        return ListingRuleOut(course_id=spelling, version=0, changed_by=None, changed_at=None)
    return ListingRuleOut(
        course_id=spelling,
        audience=AUDIENCES[own.audience],
        domains=own.domains,
        invitees=own.invitees,
        listed_from=own.listed_from,
        listed_until=own.listed_until,
        only_during_enrollment=own.only_during_enrollment,
        version=own.version,
        changed_by=own.changed_by,
        changed_at=own.changed_at,
    )


def _marketing_out(spelling: str, own: CourseOwn | None) -> MarketingOut:
    if own is None:
        return MarketingOut(course_id=spelling, version=0, changed_by=None, changed_at=None)
    return MarketingOut.model_validate(
        {
            **own.marketing,
            "course_id": spelling,
            "version": own.version,
            "changed_by": own.changed_by,
            "changed_at": own.changed_at,
        }
    )
