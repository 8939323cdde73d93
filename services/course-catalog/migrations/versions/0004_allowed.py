"""Who may enroll by e-mail, as enrollment says: whoever is allowed in may see that the course exists."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
    create table course_allowed (
      email text not null,
      course_key text collate "C" not null,
      version bigint not null,
      removed boolean not null default false,
      primary key (email, course_key)
    )""")


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward; the next one repairs.")
