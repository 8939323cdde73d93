"""What one service process holds open: database, pool, blobs, identity. Made in the lifespan, never at import."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from common.blobs import BlobStore, open_blobs
from common.database import make_engine, open_pool
from common.facts import Facts
from common.identity import InternalTokens
from common.settings import ServiceSettings


@dataclass(frozen=True)
class Resources:
    """Handed to routes as `request.state.resources` and to consumers by closure."""

    service: str
    settings: ServiceSettings
    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    pool: asyncpg.Pool
    blobs: BlobStore
    facts: Facts
    identity: InternalTokens


@asynccontextmanager
async def open_resources(service: str, settings: ServiceSettings) -> AsyncIterator[Resources]:
    """Open everything, and close it in the reverse order. The database must answer; the broker need not."""
    name = f"lectern {service}"
    engine = make_engine(settings.database_url, size=settings.database_pool, application=name)
    # enable_seqscan off: a constant statement first planned while its tables were empty would keep a sequential scan.
    # jit off: a scan that cannot be avoided then looks so dear that every execution is compiled first (50 ms)
    pool = await open_pool(
        settings.database_url,
        size=settings.database_pool,
        application=f"{name} pool",
        server_settings={"enable_seqscan": "off", "jit": "off"},
    )
    facts = Facts(settings.database_url, application=name)
    facts.start()
    try:
        yield Resources(
            service=service,
            settings=settings,
            engine=engine,
            sessions=async_sessionmaker(engine, expire_on_commit=False),
            pool=pool,
            blobs=open_blobs(settings.blobs_url),
            facts=facts,
            identity=InternalTokens(settings.internal_public_key, audience=service),
        )
    finally:
        await facts.stop()
        await pool.close()
        await engine.dispose()
