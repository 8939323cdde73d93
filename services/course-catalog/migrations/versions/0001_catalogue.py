"""The catalogue: courses with their rendered documents, modes, course teams, accounts, and the messaging tables."""

from alembic import op

from common.migrations import MESSAGING_TABLES_V1

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    "create extension if not exists pg_trgm",
    # Narrow on purpose: an array of positions is built by reading all of it.
    """
    create table course (
      course_key text collate "C" primary key,
      pos bigint not null,
      listing_rev bigint not null default 0,
      version bigint not null default 1,
      content_version bigint not null,
      deleted boolean not null default false,
      visible_to_staff_only boolean not null default false,
      invitation_only boolean not null default false,
      mobile_available boolean not null default false,
      start_at timestamptz not null,
      end_at timestamptz,
      enrollment_start timestamptz,
      enrollment_end timestamptz,
      catalog_visibility text not null default 'both',
      org text not null,
      searched text not null,
      constraint course_pos_key unique (pos) deferrable initially immediate,
      constraint course_pos_check check (pos > 0)
    )
    """,
    # The delta finds what changed since a revision, and what an instant that passed has opened or closed.
    "create index course_listing_rev on course (listing_rev)",
    "create index course_start_at on course (start_at)",
    "create index course_end_at on course (end_at) where end_at is not null",
    "create index course_enrollment_start on course (enrollment_start) where enrollment_start is not null",
    "create index course_enrollment_end on course (enrollment_end) where enrollment_end is not null",
    "create index course_org on course (org)",
    "create index course_searched on course using gin (searched gin_trgm_ops)",
    """
    create table course_document (
      course_key text collate "C" primary key references course,
      pos bigint not null,
      spelling text not null,
      content_guid text,
      item text not null,
      settings jsonb not null default '{}',
      about jsonb not null default '{}',
      constraint course_document_pos_key unique (pos) deferrable initially immediate
    )
    """,
    # a page reads twenty items: they stay in the row while the longer texts move out
    "alter table course_document alter column item set storage main",
    """
    create table catalogue_state (
      id smallint primary key default 1,
      rev bigint not null default 1,
      epoch bigint not null default 1,
      constraint catalogue_state_id_check check (id = 1)
    )
    """,
    "insert into catalogue_state default values",
    """
    create table course_mode (
      id bigint generated always as identity primary key,
      course_key text collate "C" not null,
      slug text not null,
      name text not null,
      min_price integer not null default 0,
      currency text not null default 'usd',
      suggested_prices text not null default '',
      expiration_datetime timestamptz,
      expiration_datetime_is_explicit boolean not null default false,
      description text,
      sku text,
      bulk_sku text,
      constraint course_mode_course_key_slug_currency_key unique (course_key, slug, currency)
    )
    """,
    # Facts about a course may arrive before the course: no foreign keys to it from here on.
    """
    create table course_role (
      course_key text collate "C" not null,
      user_id bigint not null,
      role text not null,
      version bigint not null,
      removed boolean not null default false,
      constraint course_role_pkey primary key (user_id, course_key)
    )
    """,
    """
    create table account (
      user_id bigint primary key,
      username text not null,
      is_active boolean not null default true,
      is_staff boolean not null default false,
      version bigint not null
    )
    """,
    "create index account_username on account (username)",
)


def upgrade() -> None:
    for statement in (*MESSAGING_TABLES_V1, *TABLES):
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward; the next one repairs.")
