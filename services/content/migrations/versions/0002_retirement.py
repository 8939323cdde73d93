"""Finding what a person did, to replace their name in it."""

from collections.abc import Sequence

from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.execute("create index version_edited_by on version (edited_by) where edited_by is not null")
    op.execute("create index version_editor on version (editor) where edited_by is null")


def downgrade() -> None:
    op.execute("drop index version_editor, version_edited_by")
