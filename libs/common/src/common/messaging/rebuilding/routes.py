"""`/api/operations/v1/{service}/rebuilds`: rebuild what a service keeps of others' state, for global staff."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from common.database import ReadSession, WriteSession
from common.errors import NotFound
from common.messaging.operators import Operator
from common.messaging.rebuilding.operations import Projection, RebuildState, list_rebuilds, start
from common.messaging.topology import prefix_of


class UnknownOwner(NotFound):
    """This service keeps nothing of that one's state."""

    code = "unknown_owner"


class Asked(BaseModel):
    """A rebuild that has begun."""

    owner: str
    id: UUID


class Rebuilds(BaseModel):
    """The latest rebuild of each projection."""

    results: list[RebuildState]


def rebuild_router(projections: Sequence[Projection]) -> APIRouter:
    """The routes of a service that has *projections*."""
    router = APIRouter(prefix="/api/operations/v1/{service}/rebuilds", tags=["operations"])
    known = {projection.owner: projection for projection in projections}

    @router.get("")
    async def list_all(session: ReadSession, _: Operator) -> Rebuilds:
        """How far each rebuild is; `parts` and `finished_at` are known at its end."""
        return Rebuilds(results=list(await list_rebuilds(session)))

    @router.post("/{owner}", status_code=202)
    async def rebuild(session: WriteSession, caller: Operator, owner: str) -> Asked:
        """Ask that service to say everything again; lists go on being answered meanwhile."""
        projection = known.get(prefix_of(owner))
        if projection is None:
            raise UnknownOwner
        number = await start(session, projection, by=caller.username or "")
        return Asked(owner=projection.owner, id=number)

    return router
