"""Who uses a definition is found by an index."""

from collections.abc import Sequence

from alembic import op

revision = "0006"
down_revision: str | None = "0005"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.execute("create index block_definition on block (definition, branch_id) where definition is not null")


def downgrade() -> None:
    op.execute("drop index block_definition")
