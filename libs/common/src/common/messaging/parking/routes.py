"""`/api/operations/v1/{service}/parked`: the parking lot over HTTP, for global staff."""

import base64
from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from common.database import ReadSession, WriteSession
from common.identity import Caller
from common.messaging.operators import Operator
from common.messaging.parking import operations, queries
from common.messaging.parking.models import ParkedAudit, ParkedMessage
from common.messaging.parking.schemas import AuditOut, Decision, ParkedDetailOut, ParkedOut, ParkedPage
from common.values import Storable

router = APIRouter(prefix="/api/operations/v1/{service}/parked", tags=["operations"])


@router.get("", response_model=ParkedPage)
async def list_parked(
    session: ReadSession,
    _: Operator,
    state: Literal["parked", "replayed", "discarded"] = "parked",
    message_type: Annotated[Storable | None, Query(alias="type")] = None,
    queue: Storable | None = None,
    fingerprint: Storable | None = None,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> ParkedPage:
    """Parked messages, oldest first; equal causes share a fingerprint."""
    found = await queries.list_parked(
        session,
        state=state,
        message_type=message_type,
        queue=queue,
        fingerprint=fingerprint,
        after=after,
        limit=limit,
    )
    results = [ParkedOut.model_validate(parked) for parked in found]
    return ParkedPage(results=results, next=results[-1].id if len(results) == limit else None)


@router.get("/{parked_id}", response_model=ParkedDetailOut)
async def show_parked(session: ReadSession, _: Operator, parked_id: UUID) -> ParkedDetailOut:
    """One parked message with headers, body and what was done with it."""
    parked = await queries.get_parked(session, parked_id)
    return _detail(parked, await queries.list_audit(session, parked_id))


@router.post("/{parked_id}/replay", status_code=202, response_model=ParkedOut)
async def replay(
    session: WriteSession, caller: Operator, parked_id: UUID, decision: Decision | None = None
) -> ParkedOut:
    """Hand the message to its queue again; 409 when it is not parked any more."""
    parked = await operations.replay(session, parked_id, actor=_name(caller), note=decision.reason if decision else "")
    return ParkedOut.model_validate(parked)


@router.post("/{parked_id}/discard", response_model=ParkedOut)
async def discard(
    session: WriteSession, caller: Operator, parked_id: UUID, decision: Decision | None = None
) -> ParkedOut:
    """Give the message up; 409 when it is not parked any more."""
    parked = await operations.discard(session, parked_id, actor=_name(caller), note=decision.reason if decision else "")
    return ParkedOut.model_validate(parked)


def _name(caller: Caller) -> str:
    return caller.username or ""


def _detail(parked: ParkedMessage, audit: Sequence[ParkedAudit]) -> ParkedDetailOut:
    try:
        body, encoded = parked.body.decode(), None
    except UnicodeDecodeError:
        body, encoded = None, base64.b64encode(parked.body).decode()
    line = ParkedOut.model_validate(parked).model_dump()
    return ParkedDetailOut(
        **line,
        exchange=parked.exchange,
        routing_key=parked.routing_key,
        headers=parked.headers,
        correlation_id=parked.correlation_id,
        reply_to=parked.reply_to,
        user_id=parked.user_id,
        body=body,
        body_base64=encoded,
        audit=[AuditOut.model_validate(line) for line in audit],
    )
