"""What other services ask of accounts, over the bus."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import structlog
from pydantic import BaseModel, ConfigDict, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession

from common.messaging import Message
from common.values import Storable
from gateway.accounts.operations import retire_linked_users

log = structlog.get_logger()


class DeleteLinked(BaseModel):
    """`accounts.delete_linked.v1`: retire all accounts that external ids of an organization are linked to."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    command_id: UUID | str
    organization: Annotated[Storable, StringConstraints(min_length=1, max_length=255)]
    requested_by: str | None = None


class DeleteLinkedHandler:
    """Carries the command out; what became of it is announced account by account, as retirements."""

    def __init__(self, pepper: bytes) -> None:
        self._pepper = pepper

    async def __call__(self, session: AsyncSession, messages: Sequence[Message]) -> None:
        for message in messages:
            command = message.parse(DeleteLinked)
            now = datetime.now(UTC)
            count = await retire_linked_users(session, command.organization, pepper=self._pepper, now=now)
            log.info("linked_accounts_retired", organization=command.organization, count=count)
