"""Asking every service how it is."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from common.resources import Resources
from gateway.proxy.errors import Failure
from gateway.proxy.forward import fetch
from gateway.proxy.table import GATEWAY, SERVICES
from gateway.proxy.upstream import Upstream

SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class State:
    """One service: usable or not, and why."""

    service: str
    ok: bool
    reason: str | None = None


async def system_state(resources: Resources, upstreams: Mapping[str, Upstream]) -> list[State]:
    """The gateway and all four services, asked at the same moment."""
    return list(await asyncio.gather(_own(resources), *(_service(name, upstreams.get(name)) for name in SERVICES)))


async def _own(resources: Resources) -> State:
    try:
        async with asyncio.timeout(SECONDS), resources.engine.connect() as connection:
            await connection.exec_driver_sql("select 1")
    except (SQLAlchemyError, OSError, TimeoutError):
        return State(GATEWAY, ok=False, reason="database")
    return State(GATEWAY, ok=True)


async def _service(name: str, upstream: Upstream | None) -> State:
    if upstream is None:
        return State(name, ok=False, reason="no address")
    try:
        status, _ = await fetch(upstream, "/health/self", timeout=SECONDS)
    except Failure as failure:
        return State(name, ok=False, reason=failure.code)
    return State(name, ok=status == 200, reason=None if status == 200 else f"answers {status}")
