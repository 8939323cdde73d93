"""Keeping the copy of who is enrolled: the latest version of each learner in each course wins."""

from collections.abc import Sequence

import structlog
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

from common.database import raw
from common.keys import CourseKey, InvalidKey
from common.messaging import Message

log = structlog.get_logger()

# Rows are written in key order, so that two workers with overlapping batches never wait for each other in a circle.
_KEEP = """
insert into enrollment as e (user_id, course_key, mode, is_active, version)
select * from unnest($1::bigint[], $2::text[], $3::text[], $4::boolean[], $5::bigint[])
  as u(user_id, course_key, mode, is_active, version) order by user_id, course_key
on conflict (user_id, course_key) do update
  set mode = excluded.mode, is_active = excluded.is_active, version = excluded.version
  where excluded.version > e.version"""


class _Heard(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class EnrollmentState(_Heard):
    user_id: int
    course_id: str
    mode: str
    is_active: bool
    version: int


class EnrollmentsChanged(_Heard):
    """`enrollment.enrollments.changed.v1`"""

    changes: list[EnrollmentState]


async def keep_enrollments(session: AsyncSession, messages: Sequence[Message]) -> None:
    """Take over what the enrollments' owner announced, a batch in one statement."""
    newest: dict[tuple[int, str], EnrollmentState] = {}
    for message in messages:
        for change in message.parse(EnrollmentsChanged).changes:
            try:
                course = CourseKey.parse(change.course_id).canonical
            except InvalidKey:
                log.warning("unreadable_course", course_id=change.course_id, message_id=str(message.id))
                continue
            place = (change.user_id, course)
            held = newest.get(place)
            if held is None or change.version > held.version:
                newest[place] = change
    if not newest:
        return
    connection = await raw(session)
    await connection.execute(
        _KEEP,
        [user_id for user_id, _ in newest],
        [course for _, course in newest],
        [change.mode for change in newest.values()],
        [change.is_active for change in newest.values()],
        [change.version for change in newest.values()],
    )
