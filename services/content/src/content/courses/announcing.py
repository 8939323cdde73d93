"""What the published head of a course says about it, and the announcement of that."""

from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from common.keys import CourseKey
from common.messaging import outbox
from content.dates import normal_date
from content.events import CourseCreated, CoursePublished, CourseSettings
from content.versions.models import DRAFT, LIBRARY, PUBLISHED, local_id

_DATES = frozenset({"start", "end", "enrollment_start", "enrollment_end", "announcement", "certificate_available_date"})
_BOOLEANS = frozenset(
    {
        "self_paced",
        "mobile_available",
        "invitation_only",
        "visible_to_staff_only",
        "cert_html_view_enabled",
        "certificates_show_before_end",
    }
)
_INTEGERS = frozenset({"max_student_enrollments_allowed"})
_NUMBERS = frozenset({"days_early_for_beta", "minimum_grade_credit"})
_LISTS = frozenset({"pre_requisite_courses"})

# A course whose whole published branch was taken away is there for its team alone.
NOTHING_PUBLISHED: Mapping[str, object] = {"visible_to_staff_only": True}

# course_pkey, branch_course_key_name_key
_COUNT = "update course set announced = announced + $2 where course_key = $1 returning *"
_HEADS = "select name, guid from branch where course_key = $1"
# block_live for the texts (`A` is what follows `@`) and a library's root, block_root for a course's: publishing a block
# must not cost the course.
_SAID = """
select b.block_id, b.type, b.settings, d.fields
from branch br
cross join lateral (
  select block_id, type, settings, definition from block
  where branch_id = br.id and to_version is null and block_id >= 'about@' and block_id < 'aboutA'
  union all
  select block_id, type, settings, definition from block
  where branch_id = br.id and to_version is null and parent_id is null and type = 'course'
  union all
  select block_id, type, settings, definition from block
  where branch_id = br.id and to_version is null and block_id = 'library@library') b
left join definition d on d.guid = b.definition
where br.course_key = $1 and br.name in ('published', 'library')"""


def course_settings(settings: Mapping[str, object]) -> CourseSettings:
    """The announced settings, each of its type: what an author wrote and nobody can read is announced as not set."""
    return CourseSettings.model_validate(
        {name: typed_setting(name, settings[name]) for name in CourseSettings.model_fields if name in settings}
    )


def typed_setting(name: str, value: object) -> object:
    """The value as the announcement has it; None for one that cannot be read."""
    if value is None:
        return None
    if name in _DATES:
        return normal_date(value)
    if name in _BOOLEANS:
        return _boolean(value)
    if name in _INTEGERS or name in _NUMBERS:
        number = _number(value)
        return int(number) if number is not None and name in _INTEGERS else number
    if name in _LISTS:
        return [item for item in value if isinstance(item, str)] if isinstance(value, list) else None
    return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else None


def _boolean(value: object) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    return bool(value) if isinstance(value, bool | int | float) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value) if isinstance(value, int | float | str) else None
    except ValueError:
        return None
    return number if number is not None and abs(number) < 2**53 else None


@dataclass(frozen=True, slots=True)
class Announced:
    """What was announced: what a command's answer repeats."""

    version: int
    draft_guid: str
    published_guid: str


async def announce_course(
    session: AsyncSession, connection: asyncpg.Connection, course: CourseKey, *, created: bool
) -> Announced:
    """Record that the published head moved (and, before that, that the course exists) in the caller's transaction.

    The version is taken under the course's row lock, so announcements of one course are numbered as they are committed.
    """
    row = await connection.fetchrow(_COUNT, course.canonical, 2 if created else 1)
    heads = {item["name"]: item["guid"].hex() for item in await connection.fetch(_HEADS, course.canonical)}
    settings = NOTHING_PUBLISHED
    about: dict[str, str | None] = {}
    for said in await connection.fetch(_SAID, course.canonical):
        if said["type"] == "about":
            text = (said["fields"] or {}).get("data")
            about[local_id(said["block_id"])] = text if isinstance(text, str) else None
        else:
            settings = said["settings"]
    version = row["announced"]
    guid = heads[LIBRARY if course.is_library else PUBLISHED]
    published = CoursePublished(
        course_id=course.canonical,
        spelling=row["spelling"],
        version=version,
        guid=guid,
        draft_guid=heads.get(DRAFT, guid),
        org=row["org"],
        number=row["number"],
        run=row["run"],
        created_by=row["creator"],
        source=row["source"],
        course=course_settings(settings),
        about=about,
    )
    if created:
        first = CourseCreated.model_validate(published.model_dump() | {"version": version - 1})
        outbox.record(session, first, aggregate=course.canonical, version=version - 1)
    outbox.record(session, published, aggregate=course.canonical, version=version)
    return Announced(version, published.draft_guid, published.guid)
