"""Changing a course's team by command."""

from sqlalchemy.ext.asyncio import AsyncSession

from common.database import raw
from common.facts import Facts
from common.keys import CourseKey, InvalidKey
from content.access import find_account
from content.commands.errors import CourseUnknown, NotACourse, UserUnknown
from content.commands.schemas import SetCourseRole
from content.events import CommandCompleted
from content.teams.operations import set_role

COMMAND = "content.set_course_role.v1"


async def set_course_role(session: AsyncSession, facts: Facts, command: SetCourseRole) -> CommandCompleted:
    """Carry out `content.set_course_role.v1`. The right to publish it is the right to do it. Raises a `Rejected`."""
    try:
        course = CourseKey.parse(command.course_id)
    except InvalidKey as error:
        raise NotACourse(f"{error}.") from error
    connection = await raw(session)
    account = await facts.eventually(lambda: find_account(connection, command.username))
    if account is None:
        raise UserUnknown(f"No account is called {command.username}.")
    changed = await set_role(
        session, connection, course, user_id=account.user_id, username=account.username, role=command.role
    )
    if changed is None:
        raise CourseUnknown
    return CommandCompleted(
        command_id=str(command.command_id),
        command=COMMAND,
        course_id=course.canonical,
        outcome="done" if changed else "unchanged",
    )
