"""Checklists of courses, and finding the versions that hold a file."""

from collections.abc import Sequence

from alembic import op

revision = "0007"
down_revision: str | None = "0006"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

STATEMENTS = (
    # What is ticked, by the names of list and item: texts are the program's, and may be said better one day.
    """
    create table checklist_item (
      course_key text collate "C" not null references course, checklist text collate "C" not null,
      item text collate "C" not null, checked_by bigint, checked_at timestamptz not null default now(),
      primary key (course_key, checklist, item)
    )""",
    """create index block_asset on block ((settings ->> 'digest')) where type = '$asset'""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("drop table checklist_item")
    op.execute("drop index block_asset")
