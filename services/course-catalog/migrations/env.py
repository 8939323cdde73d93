"""Alembic's entry: the runner is common's."""

from common.migrations import run_migrations
from course_catalog.database import Base

run_migrations(Base.metadata)
