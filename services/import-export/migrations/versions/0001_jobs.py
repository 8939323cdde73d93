"""Import and export jobs, built archives, copies of other services' facts, and the messaging tables."""

from alembic import op

from common.migrations import MESSAGING_TABLES_V1

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    """
    create table job (
      id uuid primary key,
      kind text not null,
      course_id text collate "C" not null,
      spelling text not null,
      phase text not null,
      state text not null,
      stage text not null default '',
      percent smallint not null default 0,
      counts jsonb not null default '{}',
      options jsonb not null,
      source jsonb,
      requested_by jsonb not null,
      requester_id bigint,
      filename text,
      archive_digest text,
      snapshot text,
      report jsonb,
      error jsonb,
      command_id uuid,
      command jsonb,
      draft_guid text,
      published_guid text,
      content_version bigint,
      catalogue text,
      archive_key text,
      attempts integer not null default 0,
      revision bigint not null default 0,
      lease_owner uuid,
      lease_until timestamptz,
      wake_at timestamptz,
      request_id text,
      traceparent text,
      created_at timestamptz not null default now(),
      updated_at timestamptz not null default now(),
      finished_at timestamptz,
      constraint job_kind_check check (kind in ('import', 'export')),
      constraint job_phase_check check (phase in ('queued', 'working', 'asked', 'catalogue', 'done')),
      constraint job_command_id_key unique (command_id)
    )
    """,
    # what a worker may take up, oldest first; stays as small as the backlog
    "create index job_backlog on job (kind, created_at, id) where phase in ('queued', 'working')",
    # one import of a course at a time, whatever the claim statement believes
    """
    create unique index job_one_import_key on job (course_id)
      where kind = 'import' and phase in ('working', 'asked')
    """,
    "create index job_wake_at on job (wake_at) where wake_at is not null",
    "create index job_waiting_for_catalogue on job (course_id) where catalogue = 'pending'",
    "create index job_course on job (course_id, created_at desc)",
    "create index job_requester on job (requester_id, created_at desc)",
    "create index job_finished_at on job (finished_at) where finished_at is not null",
    # an archive read before under the same rules gives the same snapshot: found by its digest
    "create index job_digest on job (archive_digest, course_id) where kind = 'import' and snapshot is not null",
    """
    create table archive (
      key text primary key,
      course_id text collate "C" not null,
      variant text not null,
      draft_guid text,
      published_guid text,
      etag text not null,
      blob text not null,
      size bigint not null,
      filename text not null,
      created_at timestamptz not null default now(),
      used_at timestamptz not null default now()
    )
    """,
    "create index archive_newest on archive (course_id, variant, created_at desc)",
    "create index archive_used_at on archive (used_at)",
    # Facts about a course may arrive before the course: no foreign keys among the copies.
    """
    create table course (
      course_id text collate "C" primary key,
      spelling text not null,
      version bigint not null,
      deleted boolean not null default false,
      draft_guid text,
      published_guid text
    )
    """,
    """
    create table course_team (
      course_id text collate "C" not null,
      user_id bigint not null,
      username text not null,
      role text not null,
      version bigint not null,
      removed boolean not null default false,
      constraint course_team_pkey primary key (course_id, user_id)
    )
    """,
    """
    create table account (
      user_id bigint primary key,
      username text not null,
      is_active boolean not null,
      version bigint not null
    )
    """,
    # `version` orders the catalogue's own facts, `content_version` is the published version it has taken in
    """
    create table catalogue_version (
      course_id text collate "C" primary key,
      version bigint not null,
      content_version bigint not null
    )
    """,
)


def upgrade() -> None:
    for statement in (*MESSAGING_TABLES_V1, *TABLES):
        op.execute(statement)
