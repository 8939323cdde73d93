"""Deleting and restoring a course or a branch of it."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from common.database import raw
from common.keys import CourseKey
from common.messaging import outbox
from content.courses.announcing import announce_course
from content.courses.errors import CourseNotFound
from content.courses.operations import branch_names
from content.events import CourseDeleted
from content.lifecycle.errors import NameInUse, NotDeleted
from content.versions.editing import open_edit
from content.versions.errors import BlockUnknown, NeverPublished, StaleMatch
from content.versions.models import DRAFT, LIBRARY, PUBLISHED, Difference
from content.versions.operations import Author, live_rows, lock_branches, write_version
from content.versions.reverting import revert

_DELETE = """
update course set deleted_at = $2, announced = announced + 1
where course_key = $1 and deleted_at is null returning announced"""
_RESTORE = "update course set deleted_at = null where course_key = $1 and deleted_at is not null returning course_key"
_SAME_NAME = """
select exists (
  select from course c join course o using (dotted)
  where c.course_key = $1 and c.deleted_at is not null and o.deleted_at is null)"""


async def delete_course(
    session: AsyncSession, course: CourseKey, *, if_match: Sequence[str] | None, now: datetime
) -> None:
    """The course is gone for everybody; its row, versions and team stay, so that it can come back.

    Raises `CourseNotFound`, `StaleMatch`.
    """
    connection = await raw(session)
    # writers lock the branches before the course's row, so this does as well
    heads = await lock_branches(connection, course.canonical, branch_names(course))
    main = heads.get(LIBRARY if course.is_library else DRAFT)
    if if_match is not None and main is not None and not {"*", main.guid.hex()} & set(if_match):
        raise StaleMatch(current_version=main.guid.hex())
    version = await connection.fetchval(_DELETE, course.canonical, now)
    if version is None:
        raise CourseNotFound
    event = CourseDeleted(course_id=course.canonical, version=version, deleted_at=now)
    outbox.record(session, event, aggregate=course.canonical, version=version)


async def restore_course(session: AsyncSession, course: CourseKey) -> None:
    """The course is there again as it was, and is announced again. Raises `NotDeleted`, `NameInUse`."""
    connection = await raw(session)
    await lock_branches(connection, course.canonical, branch_names(course))
    if await connection.fetchval(_SAME_NAME, course.canonical):
        raise NameInUse
    try:
        async with connection.transaction():
            restored = await connection.fetchval(_RESTORE, course.canonical)
    except asyncpg.UniqueViolationError as error:  # a course that reads the same was made in this very moment
        raise NameInUse from error
    if restored is None:
        raise NotDeleted
    await announce_course(session, connection, course, created=True)


async def delete_branch(
    session: AsyncSession, course: CourseKey, branch: str, author: Author, *, if_match: Sequence[str] | None
) -> None:
    """Draft: what is not published is discarded. Published: learners have nothing left, the draft is untouched.

    Both make a version, so that nothing is lost. Raises `CourseGone`, `StaleMatch`, `NeverPublished`.
    """
    connection = await raw(session)
    edit = await open_edit(connection, course, author, if_match=if_match, branch=branch)
    if branch == DRAFT and edit.published is not None:
        try:
            await edit.published.root()
        except BlockUnknown as error:
            raise NeverPublished from error
        await revert(edit, edit.published.guid)
        await edit.save(session)
    elif branch == PUBLISHED and edit.published is not None:
        gone = tuple(await live_rows(connection, edit.published.head))
        if gone:
            await write_version(connection, edit.published.head, Difference((), gone, 0), author)
            await announce_course(session, connection, course, created=False)
