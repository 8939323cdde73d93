"""What was found in a course, for upstream's validation and quality figures."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("alter table job drop constraint job_kind_check")
    op.execute("alter table job add constraint job_kind_check check (kind in ('import', 'export', 'inspection'))")
    op.execute(
        """
        create table inspection (
          course_id text collate "C" primary key,
          draft_guid text not null,
          findings jsonb not null,
          made_at timestamptz not null
        )
        """
    )
