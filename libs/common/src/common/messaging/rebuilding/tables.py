"""The table of a service that can rebuild its projections, for one of its migrations."""

REBUILD_TABLES_V1: tuple[str, ...] = (
    """
    create table rebuild (
      owner        text primary key,      -- whose state is asked for
      id           uuid not null,         -- the latest asking; pages of an earlier one are ignored
      requested_by text not null,
      started_at   timestamptz not null default now(),
      received     int not null default 0,
      parts        int,                   -- known when the last page has come
      finished_at  timestamptz
    )""",
)
