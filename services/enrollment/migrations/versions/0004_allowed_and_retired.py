"""Versions and tombstones for the allowed list; who has asked to be forgotten; cohorts that wait for an
account; what was done by hand."""

import secrets

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATEMENTS = (
    "alter table enrollment_allowed add column version bigint not null default 1",
    "alter table enrollment_allowed add column removed boolean not null default false",
    # the former name is kept as a hash with a key of this database's own: enough to find
    # who is meant by a later call with that name
    """
    create table retirement (
      user_id bigint primary key, former_hash bytea not null, mail_hash bytea not null, retired_at timestamptz not null
    )""",
    "create index retirement_former on retirement (former_hash)",
    "create index retirement_mail on retirement (mail_hash)",
    # names still to be replaced in the history; gone when that is done
    """
    create table retirement_name (
      user_id bigint primary key references retirement, former text not null, replacement text not null,
      done_to bigint not null default 0
    )""",
    f"""
    create function retirement_hash(name text) returns bytea language sql immutable as $$
      select sha256(convert_to('{secrets.token_hex(32)}' || name, 'utf8'))
    $$""",
    "alter table cohort add column user_partition_id int, add column group_id int",
    """
    create table cohort_waiting (
      email text not null, course_n bigint not null references course, cohort_id bigint not null references cohort
    )""",
    "create unique index cohort_waiting_entry on cohort_waiting (lower(email), course_n)",
    "create index cohort_waiting_cohort on cohort_waiting (cohort_id)",
    # what calls by hand wanted and got, also where no enrollment was there to be changed
    """
    create table manual_enrollment (
      id bigint generated always as identity primary key,
      at timestamptz not null default now(), course_n bigint not null, user_id bigint, email text not null,
      transition text not null, actor text, reason text
    )""",
    "create index manual_enrollment_email on manual_enrollment (lower(email))",
)


def upgrade() -> None:
    bind = op.get_bind()
    for statement in STATEMENTS:
        bind.exec_driver_sql(statement)


def downgrade() -> None:
    """Releases go forward only."""
    raise NotImplementedError
