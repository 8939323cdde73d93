"""Thumbnails of images, by the digest of the image."""

from collections.abc import Sequence

from alembic import op

revision = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

STATEMENTS = (
    # `made_at` null: still to be drawn. `data` null although it was: these bytes are no picture.
    """
    create table thumbnail (
      digest bytea primary key check (length(digest) = 32), data bytea, made_at timestamptz
    )""",
    "create index thumbnail_waiting on thumbnail (digest) where made_at is null",
    """
    insert into thumbnail (digest)
    select distinct decode(settings ->> 'digest', 'hex') from block
    where type = '$asset' and to_version is null and settings ->> 'content_type' like 'image/%'
      and settings ->> 'content_type' not like 'image/svg%' and settings ->> 'digest' ~ '^[0-9a-f]{64}$'
    on conflict do nothing""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("drop table thumbnail")
