"""Alembic's entry: the runner is shared, the tables are written out in `versions/`."""

from common.migrations import run_migrations

run_migrations()
