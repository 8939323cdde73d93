"""Copies of programs and linked external ids; program enrollments, their courses and their history."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COPIES = (
    # its row is the lock of all who write enrollments of the program; several are locked in the order of their uuids
    """
    create table program (
      uuid uuid primary key, version bigint not null, deleted boolean not null default false,
      title text not null, type text not null, slug text not null,
      organization text, curriculum_uuid uuid
    ) with (fillfactor = 50)""",
    "create index program_organization on program (organization, uuid)",
    """
    create table program_run (
      program_uuid uuid not null references program, course_key text not null, external_key text,
      primary key (program_uuid, course_key)
    )""",
    "create index program_run_course on program_run (course_key)",
    # `folded` is the key as keys are compared
    """
    create table linked_id (
      id bigint primary key, user_id bigint not null, organization text not null,
      external_key text not null, folded text not null, version bigint not null, removed boolean not null
    )""",
    "create index linked_id_key on linked_id (organization, folded) where not removed",
    "create index linked_id_user on linked_id (user_id) where not removed",
    # keys to look at again, because the account they are linked to became known after the link
    """
    create table link_due (
      organization text not null, folded text not null, primary key (organization, folded)
    )""",
)

ENROLLMENTS = (
    """
    create table program_enrollment (
      id bigint generated always as identity primary key,
      program_uuid uuid not null references program, curriculum_uuid uuid not null,
      external_user_key text not null, folded text not null, user_id bigint,
      status text not null, version bigint not null default 1,
      created timestamptz not null default now(), modified timestamptz not null default now()
    ) with (fillfactor = 90)""",
    "create unique index program_enrollment_key on program_enrollment (program_uuid, folded, curriculum_uuid)",
    """
    create unique index program_enrollment_user on program_enrollment (user_id, program_uuid, curriculum_uuid)
      where user_id is not null""",
    "create index program_enrollment_page on program_enrollment (program_uuid, id)",
    "create index program_enrollment_folded on program_enrollment (folded)",
    "create index program_enrollment_waiting on program_enrollment (modified) where user_id is null",
    # status is the wish; who is realised (the program enrollment has its user) is enrolled in the course besides
    """
    create table program_course_enrollment (
      id bigint generated always as identity primary key,
      program_enrollment_id bigint not null references program_enrollment on delete cascade,
      program_uuid uuid not null, course_n bigint not null references course,
      status text not null check (status in ('active', 'inactive')), version bigint not null default 1,
      course_staff boolean, course_staff_at timestamptz,
      created timestamptz not null default now(), modified timestamptz not null default now(),
      unique (program_enrollment_id, course_n)
    ) with (fillfactor = 90)""",
    "create index program_course_enrollment_page on program_course_enrollment (program_uuid, course_n, id)",
    # no keys in here: they are personal, and stand in one place only
    """
    create table program_history (
      id bigint generated always as identity primary key,
      program_enrollment_id bigint not null, course_n bigint,
      at timestamptz not null default now(), source text not null, actor text, job_id uuid,
      old_status text, status text not null, old_user_id bigint, user_id bigint, version bigint not null
    )""",
    "create index program_history_enrollment on program_history (program_enrollment_id, id)",
    "create index program_history_job on program_history (job_id, id) where job_id is not null",
)


def upgrade() -> None:
    bind = op.get_bind()
    for statement in (*COPIES, *ENROLLMENTS):
        bind.exec_driver_sql(statement)


def downgrade() -> None:
    """Releases go forward only."""
    raise NotImplementedError
