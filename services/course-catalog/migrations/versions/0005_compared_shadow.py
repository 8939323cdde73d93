"""A rebuild's swap skips what was right when its page came; who retires is found among settings by indexes."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

CHANGES = (
    # the versions of the live row and of the catalogue's own settings when the fact was compared with them and was the
    # same; null: it differed, or was not compared
    "alter table course_shadow add row_version bigint, add own_version bigint",
    # names are kept, and have to be forgotten, also where they do not count at present
    "drop index course_own_invitees",
    "create index course_own_invitees on course_own using gin (invitees)",
    "create index course_own_changed_by on course_own (changed_by)",
)


def upgrade() -> None:
    for statement in CHANGES:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward; the next one repairs.")
