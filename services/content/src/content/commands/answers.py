"""Commands have an identity: the same again gets the same answer, the same id with another body is refused."""

import hashlib
import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from common.database import raw
from common.messaging import Malformed, Message, outbox
from common.values import has_nul
from content.commands.errors import CommandIdReused, Expired, Rejected
from content.events import CommandCompleted

_MOST_ID: Final = 255
_LONGEST: Final = 2000
C = TypeVar("C", bound=BaseModel)
Perform = Callable[[AsyncSession, C], Awaitable[CommandCompleted]]

_LOCK = "select pg_advisory_xact_lock(hashtextextended($1, 0))"
_FIND = "select body_digest, answer from answered_command where sender = $1 and command_id = $2"
_KEEP = """
insert into answered_command (sender, command_id, body_digest, answer) values ($1, $2, $3, $4::text::jsonb)"""


def handler(
    model: type[C], command: str, perform: Perform[C]
) -> Callable[[AsyncSession, Sequence[Message]], Awaitable[None]]:
    """A message handler that carries out commands of one kind, one by one, and answers each."""

    async def handle(session: AsyncSession, messages: Sequence[Message]) -> None:
        for message in messages:
            await _answer(session, message, model, command, perform)

    return handle


async def _answer(session: AsyncSession, message: Message, model: type[C], command: str, perform: Perform[C]) -> None:
    said = message.json()
    command_id = said.get("command_id")
    # bytes: it is the answer's correlation id, which AMQP gives so many
    if not isinstance(command_id, str) or not 0 < len(command_id.encode()) <= _MOST_ID or "\0" in command_id:
        raise Malformed("The command has no readable command_id.")
    connection = await raw(session)
    sender = message.user_id or ""
    digest = hashlib.sha256(message.body).digest()
    # two copies of one command on two workers: the second waits, then finds the answer
    await connection.execute(_LOCK, f"{sender} {command_id}")
    known = await connection.fetchrow(_FIND, sender, command_id)
    if known is not None:
        if known["body_digest"] == digest:
            answer = CommandCompleted.model_validate(known["answer"])
        else:
            answer = _rejected(command_id, command, said, CommandIdReused())
    else:
        answer = await _decide(session, model, message, command_id, command, said, perform)
        await connection.execute(_KEEP, sender, command_id, digest, answer.model_dump_json())
    outbox.record(
        session,
        answer,
        aggregate=f"answer {uuid.uuid4()}",
        version=1,
        correlation_id=command_id,
        reply_to=message.reply_to,
    )


async def _decide(
    session: AsyncSession,
    model: type[C],
    message: Message,
    command_id: str,
    command: str,
    said: dict[str, object],
    perform: Perform[C],
) -> CommandCompleted:
    if has_nul(message.body):
        return _rejected(command_id, command, said, Rejected("A string has a NUL in it."), code="malformed")
    try:
        parsed = model.model_validate_json(message.body)
    except ValueError as error:
        text = f"The command is malformed: {error}"[:_LONGEST]
        return _rejected(command_id, command, said, Rejected(text), code="malformed")
    expires = getattr(parsed, "expires_at", None)
    try:
        if isinstance(expires, datetime) and _aware(expires) <= datetime.now(UTC):
            raise Expired
        # a savepoint: what a refused command wrote before it was refused is undone, its answer is not
        async with session.begin_nested():
            return await perform(session, parsed)
    except Rejected as refusal:
        return _rejected(command_id, command, said, refusal)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _rejected(
    command_id: str, command: str, said: dict[str, object], refusal: Rejected, *, code: str | None = None
) -> CommandCompleted:
    course = said.get("course_id")
    return CommandCompleted(
        command_id=command_id,
        command=command,
        course_id=course if isinstance(course, str) and "\0" not in course else None,
        outcome="rejected",
        code=code or refusal.code,
        message=str(refusal),
    )
