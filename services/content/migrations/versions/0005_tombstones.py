"""A deleted course keeps its row but not its claim to the dotted name: only courses that are there can collide."""

from collections.abc import Sequence

from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.execute("create unique index course_dotted on course (dotted) where deleted_at is null")
    op.execute("alter table course drop constraint course_dotted_key")
    op.execute("create index course_deleted on course (course_key) where deleted_at is not null")


def downgrade() -> None:
    op.execute("alter table course add constraint course_dotted_key unique (dotted)")
    op.execute("drop index course_dotted, course_deleted")
