"""Of two snapshots with one digest the second changes nothing where the first still stands."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table job add column snapshot_digest text")
