"""Alembic, run by `python -m <package> migrate`: the service's tables, then the broker's topology."""

import asyncio
import importlib.util
from pathlib import Path

import structlog
from alembic import command, context
from alembic.config import Config
from sqlalchemy import Connection, MetaData, pool
from sqlalchemy.ext.asyncio import create_async_engine

from common.messaging import MESSAGING_TABLES_V1 as _MESSAGING
from common.messaging import apply_topology
from common.settings import ServiceSettings

__all__ = ["MESSAGING_TABLES_V1", "migrate", "migrations_folder", "run_migrations"]

log = structlog.get_logger()
_IDEMPOTENCY_V1 = """
create table idempotency_key (
  caller text not null, key text not null, fingerprint text not null,
  status int, body bytea, created_at timestamptz not null default now(),
  primary key (caller, key)
)"""
# What every service's first migration executes, statement by statement; never edited, a later shape gets a V2.
MESSAGING_TABLES_V1: tuple[str, ...] = (*_MESSAGING, _IDEMPOTENCY_V1)

# two migrate jobs of one service at the same moment (a rolling release) queue here instead of racing
_LOCK = 0x6C656374


def migrations_folder(package: str, settings: ServiceSettings | None = None) -> Path:
    """`LECTERN_MIGRATIONS_DIR`, else the folder beside the service's `src`."""
    if settings and settings.migrations_dir:
        return settings.migrations_dir
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(package)
    return Path(spec.origin).parents[2] / "migrations"


def upgrade(package: str, url: str, folder: Path) -> None:
    """Bring the database at *url* to the newest revision of *package*."""
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["url"] = url
    config.attributes["package"] = package
    command.upgrade(config, "head")


def migrate(package: str, settings: ServiceSettings) -> None:
    """The `migrate` role."""
    upgrade(package, settings.database_url.get_secret_value(), migrations_folder(package, settings))
    asyncio.run(apply_topology(settings))
    log.info("migrated")


def run_migrations(metadata: MetaData | None = None) -> None:
    """The body of a service's `migrations/env.py`."""
    url = context.config.attributes["url"].replace("postgresql://", "postgresql+asyncpg://", 1)

    def run(connection: Connection) -> None:
        context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=False)
        with context.begin_transaction():
            connection.exec_driver_sql(f"select pg_advisory_xact_lock({_LOCK})")
            context.run_migrations()

    async def connect() -> None:
        engine = create_async_engine(url, poolclass=pool.NullPool)
        async with engine.connect() as connection:
            await connection.run_sync(run)
            await connection.commit()
        await engine.dispose()

    asyncio.run(connect())
