"""Every fact and command this service hears, and what it leads to."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from common.messaging import Subscription
from common.messaging.announcing import AnnounceRequest
from common.resources import Resources
from content.accounts.operations import UsersChanged, keep_accounts
from content.accounts.retirement import UsersRetired, retire_accounts
from content.announcements.queries import COMMAND as ANNOUNCE
from content.announcements.queries import announce
from content.commands.answers import handler
from content.commands.schemas import ImportCourse, SetCourseRole, SnapshotCourse
from content.enrollments.operations import EnrollmentsChanged, keep_enrollments
from content.events import CommandCompleted
from content.imports.exports import COMMAND as SNAPSHOT
from content.imports.exports import snapshot_course
from content.imports.operations import COMMAND as IMPORT
from content.imports.operations import import_course
from content.teams.commands import COMMAND as SET_ROLE
from content.teams.commands import set_course_role


def subscriptions(resources: Resources) -> Sequence[Subscription]:
    """Imports and snapshots have a queue of their own, one at a time: they must not hold up anything interactive."""

    async def importing(session: AsyncSession, command: ImportCourse) -> CommandCompleted:
        return await import_course(session, resources.blobs, command)

    async def exporting(session: AsyncSession, command: SnapshotCourse) -> CommandCompleted:
        return await snapshot_course(session, resources.blobs, command)

    async def staffing(session: AsyncSession, command: SetCourseRole) -> CommandCompleted:
        return await set_course_role(session, resources.facts, command)

    return (
        Subscription(
            queue="content.events",
            handlers={
                "accounts.user.changed.v1": keep_accounts,
                "accounts.user.retired.v1": retire_accounts,
                "enrollment.enrollments.changed.v1": keep_enrollments,
            },
        ),
        Subscription(queue="content.events.bulk", handlers={"enrollment.enrollments.changed.v1": keep_enrollments}),
        Subscription(
            queue="content.commands",
            handlers={SET_ROLE: handler(SetCourseRole, SET_ROLE, staffing)},
            repeats=True,
        ),
        Subscription(
            queue="content.imports",
            handlers={
                IMPORT: handler(ImportCourse, IMPORT, importing),
                SNAPSHOT: handler(SnapshotCourse, SNAPSHOT, exporting),
            },
            batch=1,
            repeats=True,
        ),
        Subscription(queue="content.announce", handlers={ANNOUNCE: announce}, batch=1),
    )


# Type of message → what this service reads of it; the contracts are checked against it.
HEARS: Mapping[str, type[BaseModel]] = {
    "accounts.user.changed.v1": UsersChanged,
    "accounts.user.retired.v1": UsersRetired,
    "enrollment.enrollments.changed.v1": EnrollmentsChanged,
    "content.import_course.v1": ImportCourse,
    "content.snapshot_course.v1": SnapshotCourse,
    "content.set_course_role.v1": SetCourseRole,
    "content.announce.v1": AnnounceRequest,
}
