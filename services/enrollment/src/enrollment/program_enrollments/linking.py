"""Keys and accounts: enrollments that waited are realised, and move when a key passes to another account."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import structlog

from enrollment.enrollments.changes import int_array
from enrollment.program_enrollments.courses import lock_courses, origin_of
from enrollment.program_enrollments.effects import Effect, Refused, apply_effects
from enrollment.program_enrollments.operations import Author
from enrollment.program_enrollments.staff import Wish, ask_for_roles
from enrollment.programs.operations import Key
from enrollment.programs.queries import lock_programs

log = structlog.get_logger()

# Indexes linked_id_key, program_organization, program_enrollment_key. A row keeps its account as long as that has a
# link for the key; of several links the one in the row's own spelling counts, else the newest. Whom an operator has
# linked by hand stays: any change of the other account would take that back.
_TO_LINK: Final = """
select distinct on (e.id) e.id, e.program_uuid, e.curriculum_uuid, e.user_id as old_user_id, l.user_id, e.status,
  exists (select from program_enrollment o where o.user_id = l.user_id and o.program_uuid = e.program_uuid
    and o.curriculum_uuid = e.curriculum_uuid and o.id <> e.id) as is_taken
from unnest($1::text[], $2::text[]) as i(organization, folded)
join linked_id l on l.organization = i.organization and l.folded = i.folded and not l.removed
join account a on a.user_id = l.user_id
join program p on p.organization = l.organization and not p.deleted
join program_enrollment e on e.program_uuid = p.uuid and e.folded = l.folded
where not e.by_hand and e.user_id is distinct from l.user_id and not exists (
  select from linked_id k where k.user_id = e.user_id and k.organization = l.organization and k.folded = l.folded
    and not k.removed)
order by e.id, l.external_key = e.external_user_key desc, l.id desc
"""
_PROGRAMS: Final = """
select distinct p.uuid from unnest($1::text[], $2::text[]) as i(organization, folded)
join program p on p.organization = i.organization order by 1
"""
_LINK: Final = """
with u as (
  update program_enrollment e set user_id = i.user_id, by_hand = $5, modified = now(), version = e.version + 1
  from unnest($1::text::bigint[], $2::text::bigint[], $3::text::bigint[]) as i(id, user_id, old_user_id)
  where e.id = i.id
  returning e.id, e.status, nullif(i.old_user_id, 0) as old_user_id, e.user_id, e.version
)
insert into program_history (program_enrollment_id, source, actor, old_status, status, old_user_id, user_id, version)
select id, 'link', $4, status, status, old_user_id, user_id, version from u
"""
_COURSES: Final = """
select c.program_enrollment_id, c.course_n, k.key, c.status, c.course_staff
from program_course_enrollment c join course k on k.n = c.course_n
where c.program_enrollment_id = any($1::text::bigint[]) order by c.course_n
"""
_DUE: Final = "delete from link_due where ctid = any(array(select ctid from link_due limit $1 for update skip locked))"


@dataclass(frozen=True, slots=True)
class Link:
    """A program enrollment and the account it goes to."""

    id: int
    program_uuid: UUID
    user_id: int
    old_user_id: int | None


async def realise_links(connection: asyncpg.Connection, keys: Collection[Key], *, author: Author, now: datetime) -> int:
    """Give the programs' enrollments of these (organization, folded key) to the accounts linked to them.

    The programs are locked after the links were stored and before they are read: an enrollment made meanwhile has seen
    the link, or is seen here. Call it once in a transaction. Raises `RacedError`, deadlock and serialization errors.
    """
    if not keys:
        return 0
    columns = [organization for organization, _ in keys], [folded for _, folded in keys]
    await lock_programs(connection, [row["uuid"] for row in await connection.fetch(_PROGRAMS, *columns)])
    links = []
    taken: set[tuple[int, UUID, UUID]] = set()
    for row in await connection.fetch(_TO_LINK, *columns):
        place = (row["user_id"], row["program_uuid"], row["curriculum_uuid"])
        if row["is_taken"] or place in taken:
            log.warning("key_not_linked", program_enrollment=row["id"], reason="the account has another key there")
            continue
        taken.add(place)
        links.append(Link(row["id"], row["program_uuid"], row["user_id"], row["old_user_id"]))
    await link_accounts(connection, links, author=author, now=now)
    return len(links)


async def link_accounts(
    connection: asyncpg.Connection, links: Sequence[Link], *, author: Author, now: datetime, by_hand: bool = False
) -> list[Refused]:
    """Move the enrollments to their accounts, and the accounts into the courses; who had them before leaves these.

    Returns the courses that somebody could not be put into or taken out of. The caller holds the programs' locks.
    """
    if not links:
        return []
    rows = await connection.fetch(_COURSES, int_array(link.id for link in links))
    await lock_courses(connection, [row["course_n"] for row in rows])
    await connection.execute(
        _LINK,
        int_array(link.id for link in links),
        int_array(link.user_id for link in links),
        int_array(link.old_user_id or 0 for link in links),
        author.name,
        by_hand,
    )
    by_id = {link.id: link for link in links}
    effects: dict[UUID, list[tuple[int, int, str, Effect]]] = {}
    wishes: list[Wish] = []
    for row in rows:
        link = by_id[row["program_enrollment_id"]]
        own = effects.setdefault(link.program_uuid, [])
        effect = Effect.CREATED_ACTIVE if row["status"] == "active" else Effect.CREATED_INACTIVE
        own.append((link.user_id, row["course_n"], row["key"], effect))
        if link.old_user_id is not None:
            own.append((link.old_user_id, row["course_n"], row["key"], Effect.LEFT))
        if row["course_staff"]:
            wishes.append(Wish(link.id, link.user_id, row["course_n"], row["key"], wanted=True))
    refused = await _apply(connection, effects, author=author, now=now)
    await ask_for_roles(connection, wishes, actor=author.name)
    return refused


async def _apply(
    connection: asyncpg.Connection,
    effects: Mapping[UUID, Sequence[tuple[int, int, str, Effect]]],
    *,
    author: Author,
    now: datetime,
) -> list[Refused]:
    """All at once, whichever program they come from: locks are taken in one order."""
    every = [effect for own in effects.values() for effect in own]
    if not every:
        return []
    return await apply_effects(connection, every, origin=origin_of(next(iter(effects)), author), now=now)


async def realise_due(connection: asyncpg.Connection, *, now: datetime, limit: int = 100) -> int:
    """Keys whose account was not known yet when they were linked; returns how many were looked at."""
    rows = await connection.fetch(f"{_DUE} returning organization, folded", limit)
    keys = sorted((row["organization"], row["folded"]) for row in rows)
    await realise_links(connection, keys, author=Author(None, "link"), now=now)
    return len(keys)
