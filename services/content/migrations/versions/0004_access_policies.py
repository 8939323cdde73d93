"""Access policies and unlock keys."""

from collections.abc import Sequence

from alembic import op

revision = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

TABLES = (
    # `scope` is `info`, `blocks` or a block's local id (`vertical@intro`).
    """
    create table access_policy (
      course_key text collate "C" not null references course, scope text collate "C" not null, policy jsonb not null,
      changed_by bigint, editor text, changed_at timestamptz not null default now(),
      primary key (course_key, scope)
    )""",
    """
    create table unlock_key (
      id int generated always as identity primary key, course_key text collate "C" not null references course,
      digest bytea not null check (length(digest) = 32), created_by bigint, creator text,
      created_at timestamptz not null default now(),
      constraint unlock_key_digest_key unique (digest)
    )""",
    "create index unlock_key_course on unlock_key (course_key)",
    """
    create table unlocked (
      course_key text collate "C" not null, user_id bigint not null,
      key_id int not null references unlock_key on delete cascade, unlocked_at timestamptz not null default now(),
      primary key (course_key, user_id, key_id)
    )""",
    "create index unlocked_key on unlocked (key_id)",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    op.execute("drop table unlocked, unlock_key, access_policy")
