"""Keep the copies of programs and linked external ids: the newest version wins, whatever order they are heard in."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

import asyncpg

from enrollment.programs.models import fold
from enrollment.programs.schemas import LinkHeard, ProgramHeard

Key = tuple[str, str]

_UPSERT: Final = """
insert into program as p (uuid, version, deleted, title, type, slug, organization, curriculum_uuid)
select * from unnest($1::uuid[], $2::bigint[], $3::boolean[], $4::text[], $5::text[], $6::text[], $7::text[],
  $8::uuid[])
on conflict (uuid) do update set version = excluded.version, deleted = excluded.deleted, title = excluded.title,
  type = excluded.type, slug = excluded.slug, organization = excluded.organization,
  curriculum_uuid = excluded.curriculum_uuid
where excluded.version > p.version
returning p.uuid
"""
_DELETE_RUNS: Final = "delete from program_run where program_uuid = any($1::uuid[])"
_INSERT_RUNS: Final = """
insert into program_run (program_uuid, course_key, external_key)
select * from unnest($1::uuid[], $2::text[], $3::text[])
"""
_KNOWN_LINKS: Final = "select organization, folded from linked_id where id = any($1::bigint[])"
_UPSERT_LINKS: Final = """
insert into linked_id as l (id, user_id, organization, external_key, folded, version, removed)
select * from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::boolean[])
on conflict (id) do update set user_id = excluded.user_id, organization = excluded.organization,
  external_key = excluded.external_key, folded = excluded.folded, version = excluded.version,
  removed = excluded.removed
where excluded.version > l.version
returning l.organization, l.folded
"""
# index linked_id_user
_ACCOUNTS_CAME: Final = """
insert into link_due (organization, folded)
select distinct organization, folded from linked_id where user_id = any($1::bigint[]) and not removed order by 1, 2
on conflict do nothing
"""
_FORGET_LINKS: Final = """
update linked_id set external_key = 'retired:' || id, folded = 'retired:' || id, removed = true
where user_id = any($1::bigint[]) and folded <> 'retired:' || id
"""


async def store_programs(connection: asyncpg.Connection, programs: Iterable[ProgramHeard]) -> int:
    """Store what is newer than what is known; returns how many were."""
    newest: dict[str, ProgramHeard] = {}
    for program in programs:
        known = newest.get(str(program.uuid))
        if known is None or known.version < program.version:
            newest[str(program.uuid)] = program
    ordered = [newest[uuid] for uuid in sorted(newest)]
    rows = await connection.fetch(
        _UPSERT,
        [program.uuid for program in ordered],
        [program.version for program in ordered],
        [program.deleted for program in ordered],
        [program.title for program in ordered],
        [program.type for program in ordered],
        [program.marketing_slug for program in ordered],
        [program.organization for program in ordered],
        [program.curriculum.uuid if program.curriculum else None for program in ordered],
    )
    changed = [row["uuid"] for row in rows]
    if not changed:
        return 0
    await connection.execute(_DELETE_RUNS, changed)
    runs = {
        (program.uuid, run.key): run.external_key
        for program in ordered
        if str(program.uuid) in {str(uuid) for uuid in changed}
        for run in program.runs()
    }
    if runs:
        await connection.execute(
            _INSERT_RUNS, [uuid for uuid, _ in runs], [key for _, key in runs], list(runs.values())
        )
    return len(changed)


async def store_links(connection: asyncpg.Connection, links: Iterable[LinkHeard]) -> Sequence[Key]:
    """Store what is newer than what is known; returns the keys, by organization, whose owner may be another now."""
    newest: dict[int, LinkHeard] = {}
    for link in links:
        if link.id not in newest or newest[link.id].version < link.version:
            newest[link.id] = link
    ordered = [newest[number] for number in sorted(newest)]
    before = await connection.fetch(_KNOWN_LINKS, list(newest))
    rows = await connection.fetch(
        _UPSERT_LINKS,
        [link.id for link in ordered],
        [link.user_id for link in ordered],
        [link.organization for link in ordered],
        [link.external_key for link in ordered],
        [fold(link.external_key) for link in ordered],
        [link.version for link in ordered],
        [link.removed for link in ordered],
    )
    return sorted({(row["organization"], row["folded"]) for row in (*before, *rows)})


async def note_accounts(connection: asyncpg.Connection, user_ids: Collection[int]) -> None:
    """Accounts became known: links to them that were heard before are looked at again soon."""
    await connection.execute(_ACCOUNTS_CAME, list(user_ids))


async def forget_links(connection: asyncpg.Connection, user_ids: Collection[int]) -> None:
    """The keys of retired people, at once."""
    await connection.execute(_FORGET_LINKS, list(user_ids))
