"""The tables messaging keeps in every service's database, as the service's first migration executes them."""

OUTBOX = """
create table outbox (
  -- Taken at insert, under the aggregate's row lock: the order of one aggregate's rows. Never a cursor: transactions
  -- commit in another order, so the relay asks for rows not yet sent.
  position       bigint generated always as identity primary key,
  id             uuid not null,
  exchange       text not null,
  routing_key    text not null,
  type           text not null,
  aggregate      text not null,
  version        bigint not null,
  payload        jsonb,
  body           bytea,                 -- instead of payload: a replayed message goes out byte for byte
  headers        jsonb not null default '{}',
  correlation_id text,
  reply_to       text,
  batch_field    text,                  -- the payload's only field is this list, of so many items: it may be merged
  items          int,
  batch_id       uuid,                  -- rows once merged stay merged, so that a second publish is a duplicate
  created_at     timestamptz not null default clock_timestamp(),
  next_at        timestamptz,           -- after a failure: not before this; null is due, whatever the clock says
  attempts       int not null default 0,
  last_error     text,
  sent_at        timestamptz,
  parked_at      timestamptz,
  check (num_nonnulls(payload, body) = 1)
)"""
OUTBOX_PENDING = "create index outbox_pending on outbox (position) where sent_at is null and parked_at is null"
OUTBOX_FAILING = """
create index outbox_failing on outbox (next_at) where next_at is not null and sent_at is null and parked_at is null"""
# Marking a row sent leaves a dead version behind: vacuum early, or the relay's index scan wades through them.
OUTBOX_VACUUM = """
alter table outbox set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000,
  autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05)"""
# A hint without payload, once per transaction (PostgreSQL folds equal ones); the relay polls besides.
OUTBOX_NOTIFY_FUNCTION = """
create function outbox_notify() returns trigger language plpgsql as $$
begin
  perform pg_notify('outbox', '');
  return null;
end $$"""
OUTBOX_NOTIFY_TRIGGER = """
create trigger outbox_notify after insert on outbox for each statement execute function outbox_notify()"""

INBOX = """
create table inbox (
  consumer    text not null,
  message_id  uuid not null,
  received_at timestamptz not null default now(),
  primary key (consumer, message_id)
)"""
INBOX_AGE = "create index inbox_received_at on inbox using brin (received_at)"
INBOX_VACUUM = """
alter table inbox set (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_scale_factor = 0.05)"""

PARKED = """
create table parked_message (
  id              uuid primary key,
  queue           text not null,        -- where it was to be handled; 'outbox' for one that could not be published
  message_id      uuid not null,
  type            text not null,
  exchange        text not null,
  routing_key     text not null,
  body            bytea not null,
  headers         jsonb not null,
  correlation_id  text,
  reply_to        text,
  user_id         text,
  reason          text not null,        -- permanent, malformed, exhausted, delivery_limit, unroutable
  error           text not null,
  fingerprint     text not null,        -- groups equal causes: error class and the innermost frame of ours
  attempts        int not null,
  times_parked    int not null default 1,
  first_failed_at timestamptz not null,
  parked_at       timestamptz not null default now(),
  state           text not null default 'parked' check (state in ('parked', 'replayed', 'discarded')),
  replay_count    int not null default 0,
  unique (queue, message_id)
)"""
PARKED_LIST = "create index parked_message_state on parked_message (state, parked_at, id)"
PARKED_AUDIT = """
create table parked_audit (
  id        bigint generated always as identity primary key,
  parked_id uuid not null references parked_message on delete cascade,
  action    text not null check (action in ('replay', 'discard')),
  actor     text not null,
  note      text not null default '',
  at        timestamptz not null default now()
)"""
PARKED_AUDIT_OF = "create index parked_audit_parked_id on parked_audit (parked_id)"

MESSAGING_TABLES_V1: tuple[str, ...] = (
    OUTBOX,
    OUTBOX_PENDING,
    OUTBOX_FAILING,
    OUTBOX_VACUUM,
    OUTBOX_NOTIFY_FUNCTION,
    OUTBOX_NOTIFY_TRIGGER,
    INBOX,
    INBOX_AGE,
    INBOX_VACUUM,
    PARKED,
    PARKED_LIST,
    PARKED_AUDIT,
    PARKED_AUDIT_OF,
)
