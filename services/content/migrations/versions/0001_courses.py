"""Courses with branches, versions and blocks; definitions; teams; copies of accounts and enrollments."""

from collections.abc import Sequence

from alembic import op

from common.migrations import MESSAGING_TABLES_V1

revision = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

TABLES = (
    "create extension if not exists btree_gist",
    # `announced` and `team_version` never restart: a deleted course keeps its row as a tombstone.
    # `dotted` is the look-up of the 2013 form, folded, and so also forbids two courses that differ in case only.
    """
    create table course (
      course_key text collate "C" primary key, spelling text not null,
      org text collate "C" not null, number text collate "C" not null, run text collate "C" not null,
      dotted text collate "C" not null,
      announced bigint not null default 0, team_version bigint not null default 0,
      created_by bigint, creator text, created_at timestamptz not null default now(), deleted_at timestamptz,
      source jsonb,
      constraint course_dotted_key unique (dotted)
    )""",
    "create index course_place on course (org, number)",
    """
    create table branch (
      id int generated always as identity primary key,
      course_key text collate "C" not null references course, name text not null,
      head bigint not null, guid bytea not null check (length(guid) = 12), changed_at timestamptz not null,
      constraint branch_course_key_name_key unique (course_key, name)
    ) with (fillfactor = 50)""",
    """
    create table version (
      branch_id int not null references branch, number bigint not null, guid bytea not null check (length(guid) = 12),
      previous bytea, original bytea not null, edited_by bigint, editor text,
      edited_on timestamptz not null default now(), reason text not null, source jsonb,
      primary key (branch_id, number)
    )""",
    "create unique index version_guid on version (guid)",
    # `digest` is of all that the row says about the block, so that "did it change" compares 16 bytes.
    """
    create table block (
      branch_id int not null, block_id text collate "C" not null, from_version bigint not null, to_version bigint,
      type text collate "C" not null, parent_id text collate "C", definition bytea, settings jsonb not null,
      children text[] collate "C" not null, extra jsonb, digest bytea not null, source_version bigint,
      check (to_version > from_version)
    )""",
    "create unique index block_live on block (branch_id, block_id) where to_version is null",
    "create unique index block_past on block (branch_id, block_id, from_version)",
    "create index block_from on block (branch_id, from_version)",
    "create index block_to on block (branch_id, to_version) where to_version is not null",
    "create index block_root on block (branch_id) where to_version is null and parent_id is null and type = 'course'",
    "create index block_span on block using gist (branch_id, int8range(from_version, to_version))",
    "alter table block set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05)",
    # Named by its content, so the same fields in ten runs are stored once; never changed.
    """
    create table definition (
      guid bytea primary key check (length(guid) = 12), type text collate "C" not null, fields jsonb not null,
      created_at timestamptz not null default now()
    )""",
    # `removed` is a tombstone: the member's version must outlive the membership.
    """
    create table course_team (
      course_key text collate "C" not null references course, user_id bigint not null, username text not null,
      role text not null check (role in ('instructor', 'staff')), removed boolean not null default false,
      version bigint not null, changed_at timestamptz not null default now(), primary key (course_key, user_id)
    )""",
    "create index course_team_user on course_team (user_id)",
    """
    create table account (
      user_id bigint primary key, username text collate "C" not null, email text not null, name text not null,
      is_active boolean not null, is_staff boolean not null, version bigint not null
    )""",
    "create index account_username on account (username)",
    """
    create table enrollment (
      user_id bigint not null, course_key text collate "C" not null, mode text not null, is_active boolean not null,
      version bigint not null, primary key (user_id, course_key)
    )""",
    # A digest somebody is about to refer to (an upload, an import under way): the sweep leaves it for seven days.
    """
    create table asset_claim (
      digest bytea primary key check (length(digest) = 32), claimed_at timestamptz not null default now()
    )""",
    # Commands answered, kept so that the same command again gets the same answer again.
    """
    create table answered_command (
      sender text not null, command_id text not null, body_digest bytea not null, answer jsonb not null,
      answered_at timestamptz not null default now(), primary key (sender, command_id)
    )""",
    "create index answered_command_at on answered_command (answered_at)",
)


def upgrade() -> None:
    for statement in (*MESSAGING_TABLES_V1, *TABLES):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("There is no way back from the first migration; restore a backup.")
