"""Uploads that come in parts, and blobs that wait to be deleted."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    # one upload of a file into a course by one caller at a time, as upstream names them
    """
    create table partial_upload (
      id uuid primary key,
      requester text collate "C" not null,
      course_id text collate "C" not null,
      filename text collate "C" not null,
      total bigint not null,
      received bigint not null default 0,
      parts jsonb not null default '[]',
      task_id uuid,
      failed boolean not null default false,
      updated_at timestamptz not null,
      constraint partial_upload_place_key unique (requester, course_id, filename)
    )
    """,
    "create index partial_upload_updated_at on partial_upload (updated_at)",
    # noted in the transaction that ends their use, deleted after it: a process that dies between the two leaves nothing
    """
    create table leaving_blob (
      key text collate "C" primary key,
      noted_at timestamptz not null default now()
    )
    """,
    "create index job_created_at on job (created_at desc, id desc)",
    "create index job_snapshot on job (snapshot) where snapshot is not null",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
