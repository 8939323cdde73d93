"""Writes: hear about courses, keep their places, announce what the catalogue knows of them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from uuid import uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from common.messaging import outbox
from course_catalog.courses.facts import NO_START, CourseDeleted, CourseFacts, CourseSettings
from course_catalog.courses.models import GAP, MIDDLE, NoGap, places_between
from course_catalog.courses.queries import read_announced
from course_catalog.courses.rendering import render_item, without_tags
from course_catalog.events import CourseChanged
from course_catalog.modes.models import Mode

# One writer of the catalogue at a time, from its first statement to its commit: places, versions and revisions are
# given in the order of commits, and no two writers wait for each other's rows.
_TURN = text("select pg_advisory_xact_lock(7300001)")
_KNOWN = text(
    """select course_key, pos, version, content_version, deleted, visible_to_staff_only, invitation_only,
         mobile_available, start_at, end_at, enrollment_start, enrollment_end, catalog_visibility, org, searched
       from course where course_key = any(:keys)"""
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
    text("update catalogue_state set epoch = epoch + 1"),
)
_STORE_COURSES = text(
    """insert into course (course_key, pos, content_version, deleted, visible_to_staff_only, invitation_only,
         mobile_available, start_at, end_at, enrollment_start, enrollment_end, catalog_visibility, org, searched)
       select course_key, pos, content_version, deleted, visible_to_staff_only, invitation_only, mobile_available,
         start_at, end_at, enrollment_start, enrollment_end, catalog_visibility, org, searched
       from jsonb_populate_recordset(null::course, cast(cast(:rows as text) as jsonb))
       on conflict (course_key) do update set version = course.version + 1, content_version = excluded.content_version,
         deleted = excluded.deleted, visible_to_staff_only = excluded.visible_to_staff_only,
         invitation_only = excluded.invitation_only, mobile_available = excluded.mobile_available,
         start_at = excluded.start_at, end_at = excluded.end_at, enrollment_start = excluded.enrollment_start,
         enrollment_end = excluded.enrollment_end, catalog_visibility = excluded.catalog_visibility,
         searched = excluded.searched"""
)
_STORE_DOCUMENTS = text(
    """insert into course_document (course_key, pos, spelling, content_guid, item, settings, about)
       select course_key, pos, spelling, content_guid, item, settings, about
       from jsonb_populate_recordset(null::course_document, cast(cast(:rows as text) as jsonb))
       on conflict (course_key) do update set spelling = excluded.spelling, content_guid = excluded.content_guid,
         item = excluded.item, settings = excluded.settings, about = excluded.about"""
)
_BURY = text(
    """update course set deleted = true, version = version + 1, content_version = t.content_version
       from jsonb_to_recordset(cast(cast(:rows as text) as jsonb)) as t(course_key text, content_version bigint)
       where course.course_key = t.course_key"""
)
_REVISION = text(
    """with state as (update catalogue_state set rev = rev + 1 returning rev)
       update course set listing_rev = state.rev from state where course_key = any(:keys)"""
)
_BARE_REVISION = text("update catalogue_state set rev = rev + 1")


@dataclass(frozen=True, slots=True)
class ListingRow:
    """The columns lists are decided by; a change of any of them takes a new revision."""

    deleted: bool
    visible_to_staff_only: bool
    invitation_only: bool
    mobile_available: bool
    start_at: datetime
    end_at: datetime | None
    enrollment_start: datetime | None
    enrollment_end: datetime | None
    catalog_visibility: str
    org: str
    searched: str


_LISTED = tuple(field.name for field in fields(ListingRow))


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
    before = {key: ListingRow(*(getattr(row, name) for name in _LISTED)) for key, row in known_rows.items()}
    buried = [fact for key, fact in news.items() if isinstance(fact, CourseDeleted) and key in before]
    if buried:
        rows = [{"course_key": fact.key.canonical, "content_version": fact.version} for fact in buried]
        await session.execute(_BURY, {"rows": orjson.dumps(rows).decode()})
    shown = {key: fact for key, fact in news.items() if isinstance(fact, CourseFacts) or key not in before}
    after = {key: _listing_row(fact) for key, fact in shown.items()}
    if shown:
        places = {key: row.pos for key, row in known_rows.items()}
        places |= await _find_places(session, [key for key in shown if key not in places])
        await _store(session, shown, after, places)
    await announce_courses(session, sorted(news), default=default, now=datetime.now(UTC))
    changed = {key for key, row in after.items() if before.get(key) != row}
    changed |= {fact.key.canonical for fact in buried if not before[fact.key.canonical].deleted}
    if changed:
        await next_revision(session, changed)


async def announce_courses(session: AsyncSession, keys: Sequence[str], *, default: Mode, now: datetime) -> None:
    """Announce what the catalogue knows about these courses now; their versions have been raised before."""
    courses = await read_announced(session, keys, default=default, now=now)
    outbox.record(session, CourseChanged(courses=courses), aggregate=f"courses/{uuid4()}", version=1)


def _listing_row(fact: CourseFacts | CourseDeleted) -> ListingRow:
    key = fact.key
    course = fact.course if isinstance(fact, CourseFacts) else CourseSettings()
    shown = (course.name(key), course.display_coursenumber, key.course, course.display_organization, key.org)
    return ListingRow(
        deleted=isinstance(fact, CourseDeleted),
        visible_to_staff_only=course.visible_to_staff_only,
        invitation_only=course.invitation_only,
        mobile_available=course.mobile_available,
        start_at=course.start or NO_START,
        end_at=course.end,
        enrollment_start=course.enrollment_start,
        enrollment_end=course.enrollment_end,
        catalog_visibility=course.visibility,
        org=key.org.casefold(),
        searched="\n".join(without_tags(part) for part in dict.fromkeys(shown) if part).casefold(),
    )


async def _store(
    session: AsyncSession,
    shown: dict[str, CourseFacts | CourseDeleted],
    listed: dict[str, ListingRow],
    places: dict[str, int],
) -> None:
    courses, documents = [], []
    for key, fact in sorted(shown.items()):
        courses.append({"course_key": key, "pos": places[key], "content_version": fact.version} | asdict(listed[key]))
        if isinstance(fact, CourseDeleted):  # a course we never heard of: a row, so that what comes late stays buried
            fact = CourseFacts(course_id=key, version=fact.version)
        documents.append(
            {
                "course_key": key,
                "pos": places[key],
                "spelling": fact.shown_id,
                "content_guid": fact.guid,
                "item": render_item(fact),
                "settings": fact.course.model_dump(mode="json"),
                "about": fact.about,
            }
        )
    await session.execute(_STORE_COURSES, {"rows": orjson.dumps(courses).decode()})
    await session.execute(_STORE_DOCUMENTS, {"rows": orjson.dumps(documents).decode()})


async def _find_places(session: AsyncSession, keys: Sequence[str]) -> dict[str, int]:
    """Positions for new courses, in the order of the keys; when a gap is full all positions are given anew."""
    if not keys:
        return {}
    try:
        return await _fit(session, keys)
    except NoGap:
        for statement in _RENUMBER:
            parameters = {"first": MIDDLE, "gap": GAP} if statement is _RENUMBER[0] else {}
            await session.execute(statement, parameters)
        return await _fit(session, keys)


async def _fit(session: AsyncSession, keys: Sequence[str]) -> dict[str, int]:
    gaps: dict[tuple[int | None, int | None], list[str]] = defaultdict(list)
    for row in await session.execute(_NEIGHBOURS, {"keys": list(keys)}):
        gaps[row.before, row.after].append(row.course_key)
    return {
        key: place
        for (before, after), members in gaps.items()
        for key, place in zip(members, places_between(before, after, len(members)), strict=True)
    }
