"""Jobs: files of any length, carried out piece by piece."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    create table enrollment_job (
      id uuid primary key, kind text not null, direction text not null check (direction in ('read', 'write')),
      scope text not null, program_uuid uuid, course_n bigint, undo_of uuid,
      owner text not null, created timestamptz not null default now(), started timestamptz, finished timestamptz,
      state text not null default 'Pending', text text, dry_run boolean not null default false,
      options jsonb not null default '{}', format text not null, upload text, filename text,
      total int, done int not null default 0, counts jsonb not null default '{}',
      result text, cancel_requested boolean not null default false, failures int not null default 0, error jsonb
    ) with (fillfactor = 70)""",
    # one writer at a time in a program, a course, or for a caller
    """
    create unique index enrollment_job_scope on enrollment_job (scope)
      where finished is null and direction = 'write'""",
    "create index enrollment_job_open on enrollment_job (created) where finished is null",
    "create index enrollment_job_page on enrollment_job (created, id)",
    "create index enrollment_job_undo on enrollment_job (undo_of) where undo_of is not null",
    """
    create table enrollment_job_row (
      job_id uuid not null references enrollment_job on delete cascade, n int not null,
      folded text not null, course_n bigint, drops boolean not null default false, data text not null,
      repeated boolean not null default false,
      primary key (job_id, n)
    )""",
    # what became of the rows of one piece, a JSON object on each line
    """
    create table enrollment_job_part (
      job_id uuid not null references enrollment_job on delete cascade, n int not null, body text not null,
      primary key (job_id, n)
    )""",
    """
    create index enrollment_history_job on enrollment_history (command_id, id)
      where source = 'job' or broker_user = 'job'""",
)


def upgrade() -> None:
    bind = op.get_bind()
    for statement in STATEMENTS:
        bind.exec_driver_sql(statement)


def downgrade() -> None:
    """Releases go forward only."""
    raise NotImplementedError
