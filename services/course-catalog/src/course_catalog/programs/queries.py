"""Reading programs with all that is nested in them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from common.keys import CourseKey
from course_catalog.courses import words
from course_catalog.programs.models import Program, Record

PUBLIC = ("active", "retired")
_FAMILY = {
    "descendants": text(
        """with recursive family(uuid) as (
             select unnest(cast(:uuids as uuid[]))
             union select c.child from program_child c join family f on c.parent = f.uuid)
           select uuid from family"""
    ),
    "ancestors": text(
        """with recursive family(uuid) as (
             select unnest(cast(:uuids as uuid[]))
             union select c.parent from program_child c join family f on c.child = f.uuid)
           select uuid from family"""
    ),
}
_HAS_RUN = text("exists (select from program_run r where r.program = program.uuid and r.course_key = :run)")
_HAS_ORG = text("exists (select from program_organization o where o.program = program.uuid and o.key = :org)")
_FOUND = text("program.words @@ cast(:words as tsquery)")
_RANK = text("ts_rank(program.words, cast(:words as tsquery)) desc")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list of programs is asked for."""

    everything: bool = False
    uuids: tuple[UUID, ...] = ()
    type: str | None = None
    status: str | None = None
    org: str | None = None
    course: str | None = None
    marketing_slug: str | None = None
    search: str | None = None


async def find_program(session: AsyncSession, uuid: UUID, *, lock: bool = False) -> Program | None:
    """A program, deleted ones too."""
    query = select(Program).where(Program.uuid == uuid)
    return await session.scalar(query.with_for_update() if lock else query)


async def read_family(session: AsyncSession, uuids: Iterable[UUID]) -> Mapping[UUID, Record]:
    """These programs and all that are nested in them, deleted ones left out."""
    found = await session.scalars(_FAMILY["descendants"], {"uuids": list(uuids)})
    rows = await session.scalars(
        select(Program)
        .where(Program.uuid.in_(found.all()), Program.deleted.is_(False))
        .execution_options(populate_existing=True)
    )
    return {row.uuid: Record.of(row) for row in rows}


async def list_ancestors(session: AsyncSession, uuid: UUID) -> Sequence[UUID]:
    """The program itself and every program it is nested in, however deep."""
    return (await session.scalars(_FAMILY["ancestors"], {"uuids": [uuid]})).all()


async def list_programs(
    session: AsyncSession, wanted: Wanted, *, offset: int, limit: int
) -> tuple[Sequence[UUID], int]:
    """One page of uuids, by relevance when something is searched for, else by title; and how many there are."""
    query, parameters = _select(wanted)
    count = await session.scalar(select(func.count()).select_from(query.subquery()), parameters)
    order: tuple[object, ...] = (Program.title, Program.uuid)
    if wanted.search is not None:
        order = (_RANK, *order)
    page = query.order_by(*order).offset(offset).limit(limit)  # type: ignore[arg-type]
    return (await session.scalars(page, parameters)).all(), count or 0


def _select(wanted: Wanted) -> tuple[Select[UUID], dict[str, object]]:
    parameters: dict[str, object] = {}
    query = select(Program.uuid).where(Program.deleted.is_(False))
    if not wanted.everything:
        query = query.where(Program.status.in_(PUBLIC))
    if wanted.uuids:
        query = query.where(Program.uuid.in_(wanted.uuids))
    if wanted.type is not None:
        query = query.where(func.lower(Program.type) == wanted.type.lower())
    if wanted.status is not None:
        query = query.where(Program.status == wanted.status)
    if wanted.marketing_slug is not None:
        query = query.where(Program.marketing_slug == wanted.marketing_slug)
    if wanted.course is not None:
        query, parameters["run"] = query.where(_HAS_RUN), CourseKey.parse(wanted.course).canonical
    if wanted.org is not None:
        query, parameters["org"] = query.where(_HAS_ORG), wanted.org.casefold()
    if wanted.search is not None:
        query, parameters["words"] = query.where(_FOUND), words.query(wanted.search) or ""
    return query, parameters
