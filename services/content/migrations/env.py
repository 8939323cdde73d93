"""Alembic's entry: the runner is common's. The tables are written as SQL, so there is no metadata to compare."""

from common.migrations import run_migrations

run_migrations()
