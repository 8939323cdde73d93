"""Enrollments with their history, the copies of accounts, courses and teams they are decided on, and commands."""

from alembic import op

from common.migrations import MESSAGING_TABLES_V1

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# What other services own, as far as it was heard. Rows are never deleted: a deletion is a state with a version.
COPIES = (
    """
    create table account (
      user_id bigint primary key, username text not null, email text not null, name text not null default '',
      is_active boolean not null, is_staff boolean not null, country text, version bigint not null
    )""",
    # not unique: two accounts that exchange their names may be heard in either order
    "create index account_username on account (username)",
    "create index account_email on account (lower(email))",
    """
    create table course (
      n bigint generated always as identity primary key,
      key text not null unique, spelling text not null, org text not null, display_name text,
      version bigint not null, deleted boolean not null default false,
      starts timestamptz, ends timestamptz, enrollment_start timestamptz, enrollment_end timestamptz,
      invitation_only boolean not null default false, capacity int, self_paced boolean not null default false,
      details text not null default '', details_until timestamptz not null default 'infinity'
    )""",
    """
    create table course_mode (
      course_n bigint not null references course, position int not null,
      slug text not null, expires_at timestamptz, rendered text not null,
      primary key (course_n, position)
    )""",
    """
    create table team_member (
      course_key text not null, user_id bigint not null, username text not null, role text not null,
      version bigint not null, removed boolean not null,
      primary key (course_key, user_id)
    )""",
    "create index team_member_user on team_member (user_id) where not removed",
)

ENROLLMENTS = (
    """
    create table enrollment (
      user_id bigint not null, course_n bigint not null, id bigint generated always as identity,
      mode text not null, is_active boolean not null, created timestamptz not null default now(),
      version bigint not null default 1, commanded_at timestamptz,
      primary key (user_id, course_n)
    ) with (fillfactor = 90)""",
    "create unique index enrollment_id on enrollment (id)",
    "create index enrollment_course on enrollment (course_n, id)",
    """
    create table enrollment_history (
      id bigint generated always as identity primary key,
      user_id bigint not null, course_n bigint not null, version bigint not null,
      at timestamptz not null default now(),
      source text not null check (source in ('http', 'command', 'account')),
      actor text, reason text, broker_user text, command_id text,
      requested_mode text, requested_active boolean, old_mode text, old_active boolean,
      mode text not null, is_active boolean not null, forced boolean not null default false, enterprise_uuid text
    )""",
    "create index enrollment_history_learner on enrollment_history (user_id, course_n, version)",
    """
    create table enrollment_attribute (
      user_id bigint not null, course_n bigint not null, namespace text not null, name text not null,
      value text not null,
      primary key (user_id, course_n, namespace, name)
    )""",
    """
    create table enrollment_allowed (
      id bigint generated always as identity primary key,
      email text not null, course_key text not null, auto_enroll boolean not null default false,
      created timestamptz not null default now(), user_id bigint,
      mode text, cohort text, attributes jsonb not null default '[]',
      actor text, reason text, broker_user text, command_id text, commanded_at timestamptz
    )""",
    "create unique index enrollment_allowed_entry on enrollment_allowed (lower(email), course_key)",
    "create index enrollment_allowed_course on enrollment_allowed (course_key)",
    # only for courses with a limit: taken counts active learners who are not on the course team
    """
    create table seat (
      course_n bigint primary key references course, taken int not null default 0, recount_at timestamptz
    ) with (fillfactor = 50)""",
    """
    create table cohort (
      id bigint generated always as identity primary key,
      course_n bigint not null references course, name text not null, assignment_type text not null default 'manual',
      created timestamptz not null default now(),
      unique (course_n, name)
    )""",
    """
    create table cohort_membership (
      user_id bigint not null, course_n bigint not null, cohort_id bigint not null references cohort,
      primary key (user_id, course_n)
    )""",
    "create index cohort_membership_cohort on cohort_membership (cohort_id)",
    """
    create table email_opt_in (
      user_id bigint not null, org text not null, value boolean not null, changed_at timestamptz not null default now(),
      primary key (user_id, org)
    )""",
    """
    create table embargo (
      course_n bigint primary key references course,
      blocked text[] not null default '{}', allowed text[] not null default '{}'
    )""",
)

COMMANDS = (
    """
    create table command (
      broker_user text not null, command_id text not null, type text not null, digest bytea not null,
      received_at timestamptz not null default now(),
      reply_to text[] not null default '{}',
      answer text,
      pending jsonb, attempt_at timestamptz, retry_at timestamptz,
      primary key (broker_user, command_id)
    )""",
    "create index command_deferred on command (attempt_at) where answer is null",
    "create index command_received on command (received_at)",
    # the newest command that found no row to change: an older one that comes later is superseded all the same
    """
    create table command_mark (
      user_id bigint not null, course_n bigint not null, commanded_at timestamptz not null,
      primary key (user_id, course_n)
    )""",
)

FUNCTIONS = (
    # instants as upstream's serializers print them: UTC, `Z`, microseconds only when there are any
    """
    create function iso(t timestamptz) returns text language sql stable parallel safe as $$
      select to_char(t at time zone 'UTC', case when t = date_trunc('second', t)
        then 'YYYY-MM-DD"T"HH24:MI:SS"Z"' else 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"' end)
    $$""",
    """
    create function iso_json(t timestamptz) returns text language sql stable parallel safe as $$
      select coalesce('"' || to_char(t at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') || '"', 'null')
    $$""",
    # the course half of an enrollment object; a course whose modes are all gone offers the default mode
    """
    create function course_details(c course, include_expired boolean) returns text language sql stable as $$
      select '{"course_id":' || to_json(c.spelling)
        || ',"course_name":' || to_json(coalesce(c.display_name, c.spelling))
        || ',"enrollment_start":' || iso_json(c.enrollment_start) || ',"enrollment_end":' || iso_json(c.enrollment_end)
        || ',"course_start":' || iso_json(c.starts) || ',"course_end":' || iso_json(c.ends)
        || ',"invite_only":' || c.invitation_only::text
        || ',"course_modes":[' || coalesce(
          (select string_agg(m.rendered, ',' order by m.position) from course_mode m
            where m.course_n = c.n and (include_expired or m.expires_at is null or m.expires_at > now())),
          '{"slug":"audit","name":"Audit","min_price":0,"suggested_prices":"","currency":"usd",'
          '"expiration_datetime":null,"description":null,"sku":null,"bulk_sku":null}')
        || '],"pacing_type":"' || case when c.self_paced then 'Self Paced' else 'Instructor Paced' end || '"}'
    $$""",
    # raised inside a statement, so that nothing of it is kept: the facts it decided on have changed meanwhile
    """
    create function refuse_raced() returns text language plpgsql volatile as $$
      begin raise exception 'decided on facts that have changed' using errcode = 'LR001'; end
    $$""",
)


def upgrade() -> None:
    # as the driver's own text: `:` in a function's body is no parameter
    bind = op.get_bind()
    for statement in (*MESSAGING_TABLES_V1, *COPIES, *ENROLLMENTS, *COMMANDS, *FUNCTIONS):
        bind.exec_driver_sql(statement)


def downgrade() -> None:
    """Releases go forward only."""
    raise NotImplementedError
