"""Rebuilding projections: what is asked for, and the shadows that are filled beside live traffic."""

from alembic import op

from common.messaging.rebuilding.tables import REBUILD_TABLES_V1

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = (
    # facts as they came; rows are made of them at the swap, with the catalogue's own settings of that moment
    """
    create table course_shadow (
      course_key text collate "C" primary key,
      version bigint not null,
      fact jsonb not null
    )
    """,
    "create table course_role_shadow (like course_role including all)",
    "create table account_shadow (like account including all)",
)


def upgrade() -> None:
    for statement in (*REBUILD_TABLES_V1, *TABLES):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward; the next one repairs.")
