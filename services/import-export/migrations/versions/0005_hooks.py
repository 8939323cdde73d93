"""Hooks of repositories, and the pushes they have heard of."""

from collections.abc import Sequence

from alembic import op

revision = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

STATEMENTS = (
    # an import that a push has begun waits in `fetching` until the commit has been fetched
    "alter table job drop constraint job_phase_check",
    """
    alter table job add constraint job_phase_check
      check (phase in ('fetching', 'queued', 'working', 'asked', 'catalogue', 'done'))""",
    "alter table account add column is_staff boolean",
    """
    create table hook (
      id uuid primary key, course_id text collate "C" not null, spelling text not null,
      repository text not null, branch text not null, path text not null, secret text not null,
      options jsonb not null, requested_by jsonb not null, requester_id bigint, is_active boolean not null default true,
      created_at timestamptz not null, updated_at timestamptz not null
    )""",
    "create index hook_course on hook (course_id)",
    "create index hook_requester on hook (requester_id)",
    """
    create table hook_push (
      id uuid primary key, hook_id uuid not null references hook on delete cascade, sha text not null,
      message text, pusher text, state text not null, log jsonb not null default '[]', task_id uuid not null,
      attempts int not null default 0, lease_owner uuid, lease_until timestamptz, retry_at timestamptz,
      received_at timestamptz not null, finished_at timestamptz,
      constraint hook_push_state_check check (state in ('queued', 'fetching', 'imported', 'failed', 'canceled')),
      constraint hook_push_hook_id_sha_key unique (hook_id, sha)
    )""",
    "create index hook_push_backlog on hook_push (received_at, id) where state in ('queued', 'fetching')",
    "create index hook_push_finished on hook_push (finished_at) where finished_at is not null",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("drop table hook_push, hook")
