"""Changing the modes of a course. Each change is announced with the whole course, and lists by mode hear of it."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from common.keys import CourseKey, InvalidKey
from course_catalog.courses.operations import announce_courses, next_revision, take_turn
from course_catalog.modes import errors
from course_catalog.modes.errors import BadModeFields, ModeNotFound
from course_catalog.modes.fields import Values
from course_catalog.modes.models import CourseMode, Mode
from course_catalog.modes.queries import find_mode, is_taken

_RAISE = text("update course set version = version + 1 where course_key = :key and not deleted returning course_key")


def course_of(given: object) -> CourseKey:
    """The course that a body names. Raises `BadModeFields`."""
    try:
        return CourseKey.parse(str(given))
    except InvalidKey as error:
        raise BadModeFields({"course_id": [errors.UNREADABLE_KEY.format(given)]}) from error


async def create_mode(session: AsyncSession, values: Values, *, default: Mode, now: datetime) -> CourseMode:
    """Offer the course in one more mode. Raises `BadModeFields`."""
    key = course_of(values["course_id"]).canonical
    await _take_course(session, key)
    if await is_taken(session, key, str(values["mode_slug"]), str(values["currency"])):
        raise BadModeFields({"non_field_errors": [errors.TAKEN]})
    mode = CourseMode(
        course_key=key,
        slug=values["mode_slug"],
        name="",
        min_price=0,
        currency=values["currency"],
        suggested_prices="",
        expiration_datetime=None,
        expiration_datetime_is_explicit=False,
        description=None,
        sku=None,
        bulk_sku=None,
    )
    _apply(mode, values)
    session.add(mode)
    await _tell(session, key, default=default, now=now)
    return mode


async def change_mode(
    session: AsyncSession, key: str, slug: str, values: Values, *, default: Mode, now: datetime
) -> None:
    """Change a mode; of several that differ in currency, the first made. Raises `ModeNotFound`, `BadModeFields`."""
    await _take_turn_for(session, key)
    mode = await find_mode(session, key, slug)
    if mode is None:
        raise ModeNotFound
    currency = values.get("currency")
    if currency is not None and currency != mode.currency and await is_taken(session, key, slug, str(currency)):
        raise BadModeFields({"non_field_errors": [errors.TAKEN]})
    _apply(mode, values)
    await _tell(session, key, default=default, now=now)


async def delete_mode(session: AsyncSession, key: str, slug: str, *, default: Mode, now: datetime) -> None:
    """Offer a mode no longer. Raises `ModeNotFound`."""
    await _take_turn_for(session, key)
    mode = await find_mode(session, key, slug)
    if mode is None:
        raise ModeNotFound
    await session.delete(mode)
    await _tell(session, key, default=default, now=now)


def _apply(mode: CourseMode, values: Values) -> None:
    names = {"mode_display_name": "name"}
    for field, value in values.items():
        if field not in {"course_id", "mode_slug"}:
            setattr(mode, names.get(field, field), value)
    if values.get("expiration_datetime") is not None:
        mode.expiration_datetime_is_explicit = True


async def _take_course(session: AsyncSession, key: str) -> None:
    if not await _take_turn_for(session, key):
        raise BadModeFields({"course_id": [errors.NO_SUCH_COURSE]})


async def _take_turn_for(session: AsyncSession, key: str) -> bool:
    """Become the one writer of the catalogue; False when it has no such course."""
    await take_turn(session)
    return (await session.execute(_RAISE, {"key": key})).first() is not None


async def _tell(session: AsyncSession, key: str, *, default: Mode, now: datetime) -> None:
    await session.flush()
    await announce_courses(session, [key], default=default, now=now)
    await next_revision(session, [key])
