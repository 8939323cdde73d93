"""What the catalogue owns (listing rules, marketing), full-text search, what facets count, and programs."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = (
    # `audience`: 0 everybody, 1 whoever has signed in, 2 only the domains and people of `course_own`.
    # `searched` is no longer written: words moved to `course_search`. The next release drops it.
    """
    alter table course
      add audience smallint not null default 0,
      add listed_from timestamptz,
      add listed_until timestamptz,
      add only_during_enrollment boolean not null default false,
      add self_paced boolean not null default false,
      add language text not null default '',
      add words_digest text not null default '',
      alter searched set default '',
      add constraint course_audience_check check (audience between 0 and 2)
    """,
    "drop index course_searched",
    "create index course_listed_from on course (listed_from) where listed_from is not null",
    "create index course_listed_until on course (listed_until) where listed_until is not null",
    "create index course_language on course (language)",
    # apart from `course`, which stays narrow
    """
    create table course_search (
      course_key text collate "C" primary key references course,
      words tsvector not null
    )
    """,
    "create index course_search_words on course_search using gin (words) with (fastupdate = off)",
    "insert into course_search select course_key, to_tsvector('simple', searched) from course",
    # Settings that no publish touches; a course deleted and made again finds them as they were.
    """
    create table course_own (
      course_key text collate "C" primary key,
      audience smallint not null default 0 check (audience between 0 and 2),
      domains text[] not null default '{}',
      invitees text[] not null default '{}',
      listed_from timestamptz,
      listed_until timestamptz,
      only_during_enrollment boolean not null default false,
      marketing jsonb not null default '{}',
      version bigint not null default 1,
      changed_by text not null,
      changed_at timestamptz not null default now()
    )
    """,
    "create index course_own_domains on course_own using gin (domains) where audience = 2",
    "create index course_own_invitees on course_own using gin (invitees) where audience = 2",
    # a list by mode changes by itself when a mode expires
    "create index course_mode_expires on course_mode (expiration_datetime) where expiration_datetime is not null",
    "alter table account add email text not null default ''",
    """
    create table program (
      uuid uuid primary key,
      title text not null,
      type text not null,
      type_attrs jsonb,
      marketing_slug text not null default '',
      status text not null default 'active',
      organizations jsonb not null default '[]',
      courses jsonb not null default '[]',
      curricula jsonb not null default '[]',
      words tsvector not null default '',
      version bigint not null default 1,
      deleted boolean not null default false,
      created_at timestamptz not null default now(),
      changed_at timestamptz not null default now()
    )
    """,
    "create index program_words on program using gin (words)",
    "create index program_order on program (title, uuid) where not deleted",
    "create index program_type on program (lower(type))",
    "create index program_marketing_slug on program (marketing_slug)",
    # which programs are nested where, and the runs that count as a part of each: kept at every write
    """
    create table program_child (
      parent uuid not null references program,
      child uuid not null references program,
      primary key (child, parent)
    )
    """,
    "create index program_child_parent on program_child (parent)",
    """
    create table program_run (
      program uuid not null references program,
      course_key text collate "C" not null,
      primary key (course_key, program)
    )
    """,
    "create index program_run_program on program_run (program)",
    """
    create table program_organization (
      program uuid not null references program,
      key text not null,
      primary key (key, program)
    )
    """,
    "create index program_organization_program on program_organization (program)",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)


def downgrade() -> None:
    raise NotImplementedError("Migrations only go forward; the next one repairs.")
