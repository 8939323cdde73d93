"""Hear about the allowed list. Nobody asks for it by itself: lists and details look it up."""

from collections.abc import Sequence

import orjson
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from course_catalog.courses.facts import CourseId
from course_catalog.courses.operations import next_revision, take_turn


class Allowance(BaseModel):
    """One address that one course is open to, or (`removed`) no longer."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    email: str
    course_id: CourseId
    version: int
    removed: bool = False


class AllowedChanged(BaseModel):
    """`enrollment.allowed.changed.v1`."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    entries: list[Allowance]


_UPSERT = text(
    """insert into course_allowed (email, course_key, version, removed)
       select * from jsonb_to_recordset(cast(cast(:rows as text) as jsonb))
         as t(email text, course_key text, version bigint, removed boolean)
       on conflict (email, course_key) do update set version = excluded.version, removed = excluded.removed
       where excluded.version > course_allowed.version
       returning course_key"""
)


async def store_allowances(session: AsyncSession, entries: Sequence[Allowance]) -> None:
    """Keep the newest version of each; lists are told by one new revision."""
    newest: dict[tuple[str, str], Allowance] = {}
    for entry in entries:
        place = (entry.email.casefold(), entry.course_id)
        known = newest.get(place)
        if known is None or entry.version > known.version:
            newest[place] = entry
    if not newest:
        return
    await take_turn(session)
    rows = [
        {"email": email, "course_key": key, "version": entry.version, "removed": entry.removed}
        for (email, key), entry in sorted(newest.items())
    ]
    if (await session.execute(_UPSERT, {"rows": orjson.dumps(rows).decode()})).all():
        await next_revision(session, [])
