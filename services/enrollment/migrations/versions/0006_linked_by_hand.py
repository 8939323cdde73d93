"""Program enrollments that an operator has linked to their account keep it."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # the default is kept in the catalogue: no row is rewritten
    op.execute("alter table program_enrollment add column by_hand boolean not null default false")


def downgrade() -> None:
    """Releases go forward only."""
    raise NotImplementedError
