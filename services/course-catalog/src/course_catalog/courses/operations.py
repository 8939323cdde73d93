"""Writes: hear about courses, keep their places, announce what the catalogue knows of them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import orjson
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from common.messaging import outbox
from course_catalog.courses.facts import CourseDeleted, CourseFacts
from course_catalog.courses.models import GAP, MIDDLE, NoGap, places_between
from course_catalog.courses.queries import read_announced
from course_catalog.courses.rows import LISTED, CourseRows, ListingRow, rows_of
from course_catalog.events import CourseChanged
from course_catalog.listings.models import PLAIN, Own
from course_catalog.listings.queries import list_own
from course_catalog.modes.models import Mode

# One writer of the catalogue at a time, from its first statement to its commit: places, versions and revisions are
# given in the order of commits, and no two writers wait for each other's rows.
_TURN = text("select pg_advisory_xact_lock(7300001)")
_KNOWN = text(
    f"select course_key, pos, version, content_version, {', '.join(LISTED)} from course where course_key = any(:keys)"
)
_NEIGHBOURS = text(
    """select k as course_key,
         (select pos from course where course_key < k order by course_key desc limit 1) as before,
         (select pos from course where course_key > k order by course_key limit 1) as after
       from unnest(cast(:keys as text[])) k order by k collate "C\""""
)
_RENUMBER = (
    text(
        """with places as (
             select course_key, :first + :gap * row_number() over (order by course_key) as pos from course)
           update course set pos = places.pos from places where course.course_key = places.course_key"""
    ),
    text("""update course_document d set pos = c.pos from course c where c.course_key = d.course_key"""),
    text("update catalogue_state set epoch = epoch + 1, rev = rev + 1"),
)
_STORE_COURSES = text(
    f"""insert into course (course_key, pos, content_version, {", ".join(LISTED)})
       select course_key, pos, content_version, {", ".join(LISTED)}
       from jsonb_populate_recordset(null::course, cast(cast(:rows as text) as jsonb))
       on conflict (course_key) do update set version = course.version + :step,
         content_version = excluded.content_version, {", ".join(f"{name} = excluded.{name}" for name in LISTED)}"""
)
_STORE_DOCUMENTS = text(
    """insert into course_document (course_key, pos, spelling, content_guid, item, settings, about)
       select course_key, pos, spelling, content_guid, item, settings, about
       from jsonb_populate_recordset(null::course_document, cast(cast(:rows as text) as jsonb))
       on conflict (course_key) do update set spelling = excluded.spelling, content_guid = excluded.content_guid,
         item = excluded.item, settings = excluded.settings, about = excluded.about"""
)
_STORE_WORDS = text(
    """insert into course_search (course_key, words)
       select course_key, words::tsvector
       from jsonb_to_recordset(cast(cast(:rows as text) as jsonb)) as t(course_key text, words text)
       on conflict (course_key) do update set words = excluded.words
       where course_search.words is distinct from excluded.words"""
)
_STORED_FACTS = text(
    """select c.course_key, c.pos, c.content_version, d.spelling, d.content_guid, d.settings, d.about
       from course c join course_document d using (course_key)
       where c.course_key = any(:keys) and not c.deleted order by c.course_key"""
)
_BURY = text(
    """update course set deleted = true, version = version + 1, content_version = t.content_version
       from jsonb_to_recordset(cast(cast(:rows as text) as jsonb)) as t(course_key text, content_version bigint)
       where course.course_key = t.course_key"""
)
_DOCUMENTS = text(
    """select course_key, spelling, content_guid, item, settings, about from course_document
       where course_key = any(:keys)"""
)
_GHOSTS = text(
    """update course c set deleted = true, version = version + 1
       where not c.deleted and not exists (select from course_shadow s where s.course_key = c.course_key)
       returning c.course_key"""
)
_REVISION = text(
    """with state as (update catalogue_state set rev = rev + 1 returning rev)
       update course set listing_rev = state.rev from state where course_key = any(:keys)"""
)
_BARE_REVISION = text("update catalogue_state set rev = rev + 1")


async def take_turn(session: AsyncSession) -> None:
    """Become the one writer of the catalogue until the transaction ends; the first thing every writer does."""
    await session.execute(_TURN)


async def next_revision(session: AsyncSession, changed: Iterable[str]) -> None:
    """Tell every list, in whichever process, that these courses have changed or, with none, that roles have."""
    keys = sorted(changed)
    if keys:
        await session.execute(_REVISION, {"keys": keys})
    else:
        await session.execute(_BARE_REVISION)


async def store_courses(session: AsyncSession, heard: Sequence[CourseFacts | CourseDeleted], *, default: Mode) -> None:
    """Take the newest version of each course, announce every one that was news, and take one revision for all."""
    newest: dict[str, CourseFacts | CourseDeleted] = {}
    for fact in heard:
        key = fact.key
        if key.is_library:
            continue
        known = newest.get(key.canonical)
        if known is None or fact.version > known.version:
            newest[key.canonical] = fact
    if not newest:
        return
    await take_turn(session)
    known_rows = {row.course_key: row for row in await session.execute(_KNOWN, {"keys": sorted(newest)})}
    news = {
        key: fact
        for key, fact in newest.items()
        if key not in known_rows or fact.version > known_rows[key].content_version
    }
    if not news:
        return
    before = {key: _listing_of(row) for key, row in known_rows.items()}
    buried = [fact for key, fact in news.items() if isinstance(fact, CourseDeleted) and key in before]
    if buried:
        rows = [{"course_key": fact.key.canonical, "content_version": fact.version} for fact in buried]
        await session.execute(_BURY, {"rows": orjson.dumps(rows).decode()})
    shown = {key: fact for key, fact in news.items() if isinstance(fact, CourseFacts) or key not in before}
    own = await list_own(session, sorted(shown))
    after = {key: rows_of(fact, own.get(key, PLAIN)) for key, fact in sorted(shown.items())}
    if shown:
        places = {key: row.pos for key, row in known_rows.items()}
        places |= await _find_places(session, [key for key in shown if key not in places])
        await _store(session, after, places)
    await announce_courses(session, sorted(news), default=default, now=datetime.now(UTC))
    changed = {key for key, rows in after.items() if before.get(key) != rows.listing}
    changed |= {fact.key.canonical for fact in buried if not before[fact.key.canonical].deleted}
    if changed:
        await next_revision(session, changed)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What facts would make of courses, beside what is stored of them."""

    own: dict[str, Own]
    after: dict[str, CourseRows]
    before: dict[str, Row[tuple[object, ...]]]
    differing: dict[str, CourseRows]

    def same(self) -> list[dict[str, object]]:
        """The courses that are what the facts say; as of which versions of their rows and of their own settings."""
        return [
            {
                "course_key": key,
                "content_version": rows.content_version,
                "row_version": self.before[key].version,
                "own_version": self.own.get(key, PLAIN).version,
            }
            for key, rows in self.after.items()
            if key not in self.differing
        ]


async def compare_courses(session: AsyncSession, facts: Sequence[CourseFacts | CourseDeleted]) -> Comparison:
    """Hold the newest fact of each course against what is stored.

    Without the turn a writer may come in between the three reads. They are in this order so that a version noted as
    the same is never newer than what was compared: settings first, then the row that bears the version, then the rest.
    """
    keys = sorted(fact.course_id for fact in facts)
    own = await list_own(session, keys)
    before = {row.course_key: row for row in await session.execute(_KNOWN, {"keys": keys})}
    documents = {row.course_key: row for row in await session.execute(_DOCUMENTS, {"keys": keys})}
    after = {fact.course_id: rows_of(fact, own.get(fact.course_id, PLAIN)) for fact in facts}
    differing = {
        key: rows
        for key, rows in after.items()
        if key not in before
        or rows.content_version != before[key].content_version
        or rows.listing.deleted != before[key].deleted
        # of a deleted course nothing else is ever read
        or not (rows.listing.deleted or _is_as_stored(rows, before[key], documents[key]))
    }
    return Comparison(own, after, before, differing)


def _is_as_stored(rows: CourseRows, course: Row[tuple[object, ...]], document: Row[tuple[object, ...]]) -> bool:
    return rows.listing == _listing_of(course) and rows.document == _document_of(document)


async def replace_courses(
    session: AsyncSession, facts: Sequence[CourseFacts | CourseDeleted], *, default: Mode
) -> None:
    """Make these courses what content says, whatever is known of them; what differs is announced. The turn is taken."""
    compared = await compare_courses(session, facts)
    before, differing = compared.before, compared.differing
    if not differing:
        return
    places = {key: row.pos for key, row in before.items()}
    places |= await _find_places(session, [key for key in differing if key not in places])
    await _store(session, differing, places)
    await announce_courses(session, sorted(differing), default=default, now=datetime.now(UTC))
    changed = [key for key, rows in differing.items() if key not in before or rows.listing != _listing_of(before[key])]
    if changed:
        await next_revision(session, changed)


async def bury_others(session: AsyncSession, *, default: Mode, now: datetime) -> None:
    """Courses that the shadow does not have are gone: their owner does not know them."""
    ghosts = sorted((await session.scalars(_GHOSTS)).all())
    for start in range(0, len(ghosts), 500):
        keys = ghosts[start : start + 500]
        await announce_courses(session, keys, default=default, now=now)
        await next_revision(session, keys)


def _document_of(row: Row[tuple[object, ...]]) -> dict[str, object]:
    return {name: getattr(row, name) for name in ("spelling", "content_guid", "item", "settings", "about")}


async def announce_courses(session: AsyncSession, keys: Sequence[str], *, default: Mode, now: datetime) -> None:
    """Announce what the catalogue knows about these courses now; their versions have been raised before."""
    courses = await read_announced(session, keys, default=default, now=now)
    outbox.record(session, CourseChanged(courses=courses), aggregate=f"courses/{uuid4()}", version=1)


async def renew_courses(session: AsyncSession, keys: Sequence[str], *, always: bool = False) -> None:
    """Make the rows of these courses again after the catalogue's own settings have changed; the turn is taken.

    *always* takes a revision for what the rows do not show: whom a course invites.
    """
    stored = (await session.execute(_STORED_FACTS, {"keys": list(keys)})).all()
    own = await list_own(session, keys)
    after = {row.course_key: rows_of(_facts_of(row), own.get(row.course_key, PLAIN)) for row in stored}
    before = {row.course_key: _listing_of(row) for row in await session.execute(_KNOWN, {"keys": list(keys)})}
    await _store(session, after, {row.course_key: row.pos for row in stored}, step=0)
    if changed := [key for key, rows in after.items() if always or before[key] != rows.listing]:
        await next_revision(session, changed)


def _facts_of(row: Row[tuple[object, ...]]) -> CourseFacts:
    return CourseFacts.model_validate(
        {
            "course_id": row.course_key,
            "spelling": row.spelling,
            "version": row.content_version,
            "guid": row.content_guid,
            "course": row.settings,
            "about": row.about,
        }
    )


def _listing_of(row: Row[tuple[object, ...]]) -> ListingRow:
    return ListingRow(*(getattr(row, name) for name in LISTED))


async def _store(session: AsyncSession, after: dict[str, CourseRows], places: dict[str, int], *, step: int = 1) -> None:
    """Write the rows; *step* is added to the version that is announced."""
    if not after:
        return
    ordered = sorted(after.items())
    courses = [rows.course(key, places[key]) for key, rows in ordered]
    documents = [{"course_key": key, "pos": places[key], **rows.document} for key, rows in ordered]
    found = [{"course_key": key, "words": rows.words} for key, rows in ordered]
    await session.execute(_STORE_COURSES, {"rows": orjson.dumps(courses).decode(), "step": step})
    await session.execute(_STORE_DOCUMENTS, {"rows": orjson.dumps(documents).decode()})
    await session.execute(_STORE_WORDS, {"rows": orjson.dumps(found).decode()})


async def _find_places(session: AsyncSession, keys: Sequence[str]) -> dict[str, int]:
    """Positions for new courses, in the order of the keys; when a gap is full all positions are given anew."""
    if not keys:
        return {}
    try:
        return await _fit(session, keys)
    except NoGap:
        await renumber(session)
        return await _fit(session, keys)


async def renumber(session: AsyncSession) -> None:
    """Give all positions anew, and every list a new beginning; the turn is taken."""
    for statement in _RENUMBER:
        parameters = {"first": MIDDLE, "gap": GAP} if statement is _RENUMBER[0] else {}
        await session.execute(statement, parameters)


async def _fit(session: AsyncSession, keys: Sequence[str]) -> dict[str, int]:
    gaps: dict[tuple[int | None, int | None], list[str]] = defaultdict(list)
    for row in await session.execute(_NEIGHBOURS, {"keys": list(keys)}):
        gaps[row.before, row.after].append(row.course_key)
    return {
        key: place
        for (before, after), members in gaps.items()
        for key, place in zip(members, places_between(before, after, len(members)), strict=True)
    }
