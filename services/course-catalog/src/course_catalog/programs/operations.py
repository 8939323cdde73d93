"""Writing programs. One writer at a time; whatever a program is nested in is announced again with it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4, uuid5

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from common.keys import CourseKey
from common.messaging import outbox
from course_catalog.courses import words
from course_catalog.events import ProgramsChanged
from course_catalog.programs.errors import NestedInItself, ProgramExists, ProgramNotFound, UnknownNested
from course_catalog.programs.models import Json, Program, Record, membership, uuid_of
from course_catalog.programs.queries import find_program, list_ancestors, read_family
from course_catalog.programs.rendering import announced
from course_catalog.programs.schemas import CourseIn, NewProgram, OrganizationIn, RunIn

_TURN = text("select pg_advisory_xact_lock(7300002)")
_KNOWN_RUNS = text(
    """select c.course_key, d.settings->>'display_name' as name, c.start_at, c.end_at, c.self_paced
       from course c join course_document d using (course_key)
       where c.course_key = any(:keys) and not c.deleted"""
)
_CLEAR = tuple(
    text(f"delete from {table} where {column} = :uuid")
    for table, column in (("program_child", "parent"), ("program_organization", "program"))
)
_CHILDREN = text("insert into program_child (parent, child) select :uuid, unnest(cast(:children as uuid[]))")
_ORGANIZATIONS = text("insert into program_organization (program, key) select :uuid, unnest(cast(:keys as text[]))")
_WORDS = text("update program set words = cast(:words as tsvector) where uuid = :uuid")
_RAISE = text("update program set version = version + 1 where uuid = any(:uuids)")
_CLEAR_RUNS = text("delete from program_run where program = :uuid")
_RUNS = text("insert into program_run (program, course_key) select :uuid, unnest(cast(:keys as text[]))")


async def create_program(session: AsyncSession, given: NewProgram, *, now: datetime) -> UUID:
    """Make a program; one that was deleted may be made again, and its version goes on.

    Raises `ProgramExists`, `UnknownNested`, `NestedInItself`.
    """
    await session.execute(_TURN)
    uuid = given.uuid or uuid4()
    program = await find_program(session, uuid)
    if program is None:
        program = Program(uuid=uuid, version=0, deleted=False, created_at=now)
    elif not program.deleted:
        raise ProgramExists
    await _write(session, program, given, now=now)
    return uuid


async def replace_program(session: AsyncSession, uuid: UUID, given: NewProgram, *, now: datetime) -> None:
    """Make a program what is given. Raises `ProgramNotFound`, `UnknownNested`, `NestedInItself`."""
    program = await read_to_change(session, uuid)
    await _write(session, program, given, now=now)


async def delete_program(session: AsyncSession, uuid: UUID, *, now: datetime) -> None:
    """End a program; those it is nested in lose its courses. Raises `ProgramNotFound`."""
    program = await read_to_change(session, uuid)
    family = await list_ancestors(session, uuid)
    program.deleted, program.changed_at = True, now
    await session.flush()
    await _announce(session, family)


async def read_to_change(session: AsyncSession, uuid: UUID) -> Program:
    """The program, with the writer's turn taken. Raises `ProgramNotFound`."""
    await session.execute(_TURN)
    program = await find_program(session, uuid)
    if program is None or program.deleted:
        raise ProgramNotFound
    return program


async def _write(session: AsyncSession, program: Program, given: NewProgram, *, now: datetime) -> None:
    await _fill(session, program, given)
    program.deleted, program.changed_at = False, now
    session.add(program)
    await session.flush()
    record = Record.of(program)
    await _relate(session, record)
    family = await list_ancestors(session, record.uuid)
    await _announce(session, family)


async def _fill(session: AsyncSession, program: Program, given: NewProgram) -> None:
    runs = [run for course in _courses_of(given) for run in course.course_runs]
    known = await _known_runs(session, [run.key for run in runs])
    program.title, program.type, program.status = given.title, given.type, given.status
    program.type_attrs = given.type_attrs.model_dump(mode="json") if given.type_attrs else None
    program.marketing_slug = given.marketing_slug
    program.organizations = [_organization(each) for each in given.authoring_organizations]
    program.courses = [_course(course, known) for course in given.courses]
    program.curricula = [
        {
            "uuid": str(each.uuid or uuid5(program.uuid, f"curriculum {place} {each.name}")),
            "name": each.name,
            "is_active": each.is_active,
            "courses": [_course(course, known) for course in each.courses],
            "programs": [str(child) for child in dict.fromkeys(each.programs)],
        }
        for place, each in enumerate(given.curricula)
    ]


def _courses_of(given: NewProgram) -> Iterable[CourseIn]:
    yield from given.courses
    for curriculum in given.curricula:
        yield from curriculum.courses


async def _known_runs(session: AsyncSession, keys: Sequence[str]) -> Mapping[str, Json]:
    rows = await session.execute(_KNOWN_RUNS, {"keys": sorted(set(keys))})
    return {
        row.course_key: {
            "title": row.name or CourseKey.parse(row.course_key).run,
            "start": row.start_at.isoformat(),
            "end": row.end_at.isoformat() if row.end_at else None,
            "pacing_type": "self_paced" if row.self_paced else "instructor_paced",
        }
        for row in rows
    }


def _organization(given: OrganizationIn) -> Json:
    uuid = given.uuid or uuid_of("organization", given.key)
    return given.model_dump(mode="json") | {"uuid": str(uuid), "name": given.name or given.key}


def _course(given: CourseIn, known: Mapping[str, Json]) -> Json:
    runs = [_run(run, known) for run in given.course_runs]
    first = CourseKey.parse(given.course_runs[0].key) if given.course_runs else None
    key = given.key or (f"{first.org}+{first.course}" if first else "")
    title = given.title or (str(runs[0]["title"]) if runs else key)
    return {"uuid": str(given.uuid or uuid_of("course", key)), "key": key, "title": title, "course_runs": runs}


def _run(given: RunIn, known: Mapping[str, Json]) -> Json:
    said = {name: value for name, value in given.model_dump(mode="json").items() if value is not None}
    unknown: Json = {"title": given.key}
    return known.get(given.key, unknown) | said | {"uuid": str(given.uuid or uuid_of("run", given.key))}


async def _relate(session: AsyncSession, record: Record) -> None:
    """Note what is nested in it and who authors it. Raises `UnknownNested`, `NestedInItself`."""
    children = sorted(record.children)
    for statement in _CLEAR:
        await session.execute(statement, {"uuid": record.uuid})
    existing = await read_family(session, children)
    if missing := [child for child in children if child not in existing]:
        raise UnknownNested(f"There is no program {missing[0]}.")
    if record.uuid in children or record.uuid in await _descendants(session, children):
        raise NestedInItself
    await session.execute(_CHILDREN, {"uuid": record.uuid, "children": children})
    keys = sorted({organization.key.casefold() for organization in record.organizations})
    await session.execute(_ORGANIZATIONS, {"uuid": record.uuid, "keys": keys})
    await session.execute(_WORDS, {"uuid": record.uuid, "words": words.vector(_texts(record))})


async def _descendants(session: AsyncSession, children: Sequence[UUID]) -> set[UUID]:
    return set(await read_family(session, children))


def _texts(record: Record) -> Sequence[tuple[str, Sequence[str]]]:
    courses = [*record.courses, *(course for curriculum in record.curricula for course in curriculum.courses)]
    organizations = [text for each in record.organizations for text in (each.key, each.name)]
    return (
        ("A", [record.title]),
        ("B", [record.type, record.marketing_slug, *organizations]),
        ("C", [text for course in courses for text in (course.key, course.title)]),
    )


async def _announce(session: AsyncSession, uuids: Sequence[UUID]) -> None:
    """Raise the versions of these programs, keep their membership, and announce them as they are now."""
    await session.execute(_RAISE, {"uuids": list(uuids)})
    known = await read_family(session, uuids)
    for uuid in sorted(uuids):
        record = known.get(uuid)
        if record is None:  # the one that was just deleted
            program = await find_program(session, uuid)
            if program is None:
                raise ProgramNotFound
            await session.refresh(program)
            record = replace(Record.of(program), courses=(), curricula=())
        keys = sorted(membership(record, known))
        await session.execute(_CLEAR_RUNS, {"uuid": uuid})
        await session.execute(_RUNS, {"uuid": uuid, "keys": keys})
        event = ProgramsChanged(programs=[announced(record, known, keys)])
        outbox.record(session, event, aggregate=f"programs/{uuid}", version=record.version)
