"""Bodies of the operations API."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from common.values import Storable


class ParkedOut(BaseModel):
    """One line of the list."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    queue: str
    message_id: UUID
    type: str
    reason: str
    error: str
    fingerprint: str
    attempts: int
    times_parked: int
    replay_count: int
    state: str
    first_failed_at: datetime
    parked_at: datetime


class AuditOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    action: str
    actor: str
    note: str
    at: datetime


class ParkedDetailOut(ParkedOut):
    """The whole message; `body` is text where it is UTF-8, else base64 in `body_base64`."""

    exchange: str
    routing_key: str
    headers: dict[str, object]
    correlation_id: str | None
    reply_to: str | None
    user_id: str | None
    body: str | None
    body_base64: str | None
    audit: list[AuditOut]


class ParkedPage(BaseModel):
    """`next` is the value of `after` for the following page."""

    results: list[ParkedOut]
    next: UUID | None


class Decision(BaseModel):
    """Why an operator acts; kept in the audit."""

    reason: Annotated[Storable, Field(max_length=2000)] = ""
