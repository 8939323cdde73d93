"""External keys are looked up without their case."""

from collections.abc import Sequence

from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    # not unique: keys that differ in case alone may have been linked before
    op.execute(
        "create index external_ids_folded on external_ids (organization, lower(external_key)) where removed_at is null"
    )


def downgrade() -> None:
    """Releases go forward only."""
    raise NotImplementedError
