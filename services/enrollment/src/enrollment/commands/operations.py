"""Commands from the bus: each is carried out once and answered as often as it is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import orjson
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from common.database import raw
from common.messaging import Message, Permanent
from common.messaging.envelope import REQUEST_ID, TRACEPARENT
from enrollment.commands import queries
from enrollment.commands.batches import Result, Results, carry_out
from enrollment.commands.schemas import CommandRead, Item, Kind, RefusedWhole, Unreadable, read_command, read_items
from enrollment.enrollments.changes import RacedError
from enrollment.enrollments.models import DEFERRABLE, Options
from enrollment.events import CommandCompleted
from enrollment.outgoing import Outgoing, record_all

log = structlog.get_logger()

ENROLL: Final = "enrollment.enroll.v1"
UNENROLL: Final = "enrollment.unenroll.v1"
_KINDS: Final[Mapping[str, Kind]] = {ENROLL: "enroll", UNENROLL: "unenroll"}

Shown = dict[int, dict[str, object]]

_REUSED: Final = "This command_id was used for another command."
_EXPIRED: Final = "The command came after its expires_at."

_INSERT: Final = """
insert into command (broker_user, command_id, type, digest, reply_to, answer, pending, attempt_at, retry_at)
select i.broker_user, i.command_id, i.type, i.digest,
  case when i.reply_to is null then '{}'::text[] else array[i.reply_to] end,
  i.answer, i.pending::jsonb, i.attempt_at, i.retry_at
from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
  $9::timestamptz[])
as i(broker_user, command_id, type, digest, reply_to, answer, pending, attempt_at, retry_at)
on conflict (broker_user, command_id) do nothing
"""
_ANSWER_TOO: Final = """
update command set reply_to = reply_to || $3::text
where broker_user = $1 and command_id = $2 and answer is null and not $3 = any(reply_to)
"""
_DUE: Final = """
select broker_user, command_id, type, digest, reply_to, pending::text, retry_at from command
where answer is null and attempt_at <= $1 order by attempt_at limit $2 for update skip locked
"""
_ATTEMPTED: Final = """
update command set pending = $3::text::jsonb, attempt_at = $4 where broker_user = $1 and command_id = $2
"""
_FINISH: Final = """
update command set answer = $3, pending = null, attempt_at = null, retry_at = null
where broker_user = $1 and command_id = $2
"""
_EXPIRE: Final = """
delete from command where ctid = any(array(
  select ctid from command where received_at < $1 and answer is not null limit 10000))
"""


@dataclass(frozen=True, slots=True)
class _Heard:
    """A command with what the answer's headers need."""

    command: CommandRead
    headers: Mapping[str, str]


class CommandHandler:
    """Carries out the commands of a batch of messages; one function for both types, so that their order is kept."""

    def __init__(self, *, deferred_seconds: float, attempt_seconds: float) -> None:
        self._patience = timedelta(seconds=deferred_seconds)
        self._pause = timedelta(seconds=attempt_seconds)

    async def __call__(self, session: AsyncSession, messages: Sequence[Message]) -> None:
        now = datetime.now(UTC)
        answers: list[Outgoing] = []
        heard: list[_Heard] = []
        for message in messages:
            try:
                heard.append(_Heard(_read(message, now), _headers(message)))
            except Unreadable as error:
                raise Permanent(str(error)) from error
            except RefusedWhole as refusal:
                answers.append(_refusal(refusal, message.reply_to, _headers(message)))
        connection = await raw(session)
        answers += await self._answer(connection, heard, now=now)
        await record_all(connection, answers)

    async def _answer(
        self, connection: asyncpg.Connection, heard: Sequence[_Heard], *, now: datetime
    ) -> list[Outgoing]:
        known = await queries.find_commands(connection, [one.command.identity for one in heard]) if heard else {}
        answers: list[Outgoing] = []
        first: dict[tuple[str, str], _Heard] = {}
        again: list[_Heard] = []
        for one in heard:
            command = one.command
            earlier = first.get(command.identity)
            stored = known.get(command.identity)
            digest = earlier.command.digest if earlier else stored.digest if stored else command.digest
            if digest != command.digest:
                answers.append(_whole(one, "command_id_reused", _REUSED))
            elif stored:
                answers += await _repeat(connection, one, stored)
            elif earlier:
                again.append(one)
            elif command.expires_at is not None and command.expires_at < now:
                answers.append(_whole(one, "expired", _EXPIRED))
            else:
                first[command.identity] = one
        if not first:
            return answers
        results = await carry_out(connection, [one.command for one in first.values()], now=now)
        payloads = await self._store(connection, list(first.values()), results, now=now)
        for one in [*first.values(), *again]:
            payload = payloads.get(one.command.identity)
            if payload is not None:
                answers.append(_completed(one.command.command_id, payload, one.command.reply_to, one.headers))
            elif one in again and one.command.reply_to:
                await connection.execute(_ANSWER_TOO, *one.command.identity, one.command.reply_to)
        return answers

    async def _store(
        self, connection: asyncpg.Connection, heard: Sequence[_Heard], results: Results, *, now: datetime
    ) -> dict[tuple[str, str], str]:
        """Note the commands as done, or as waiting for facts; returns the answers of those done, as JSON text.

        Raises `RacedError` when another consumer has carried one of them out meanwhile.
        """
        payloads: dict[tuple[str, str], str] = {}
        rows = []
        for one in heard:
            command = one.command
            own = results[command.identity]
            missed = [index for index, found in own.items() if found.code in DEFERRABLE]
            answer = pending = None
            if missed:
                pending = _pending(one, own, missed)
            else:
                answer = payloads[command.identity] = _payload(command.command_id, _shown(command, own))
            rows.append(
                (
                    command.broker_user,
                    command.command_id,
                    ENROLL if command.kind == "enroll" else UNENROLL,
                    command.digest,
                    command.reply_to,
                    answer,
                    pending,
                    now + self._pause if pending else None,
                    now + self._patience if pending else None,
                )
            )
        rows.sort(key=lambda row: row[:2])
        if await connection.execute(_INSERT, *map(list, zip(*rows, strict=True))) != f"INSERT 0 {len(rows)}":
            raise RacedError
        return payloads

    async def finish_deferred(self, connection: asyncpg.Connection, *, now: datetime, limit: int = 20) -> int:
        """Try missed items again; what is still missing when its time is over is rejected. Returns how many commands.

        The caller's transaction holds the rows, so that several processes share the work.
        """
        rows = await connection.fetch(_DUE, now, limit)
        commands = [_resume(row) for row in rows]
        results = await carry_out(connection, [command for command, _, _ in commands], now=now) if commands else {}
        answers: list[Outgoing] = []
        for row, (command, shown, headers) in zip(rows, commands, strict=True):
            own = results[command.identity]
            missed = [index for index, found in own.items() if found.code in DEFERRABLE]
            if missed and row["retry_at"] > now:
                settled = [index for index in own if index not in missed]
                shown |= _shown(command.only(settled), own)
                left = _pending_text(command.only(missed), shown, headers)
                await connection.execute(_ATTEMPTED, *command.identity, left, min(now + self._pause, row["retry_at"]))
                continue
            payload = _payload(command.command_id, shown | _shown(command, own))
            await connection.execute(_FINISH, *command.identity, payload)
            answers += [_completed(command.command_id, payload, reply, headers) for reply in row["reply_to"] or [None]]
        await record_all(connection, answers)
        return len(rows)


async def forget_answers(connection: asyncpg.Connection, *, before: datetime) -> None:
    """Delete what was answered before; a command that comes again after that is carried out again."""
    while (await connection.execute(_EXPIRE, before)) != "DELETE 0":
        pass


def _read(message: Message, now: datetime) -> CommandRead:
    kind = _KINDS[message.type]
    return read_command(
        message.body, kind, broker_user=message.user_id or "", reply_to=message.reply_to, received_at=now
    )


def _headers(message: Message) -> Mapping[str, str]:
    known = {REQUEST_ID: message.request_id, TRACEPARENT: message.traceparent}
    return {name: value for name, value in known.items() if value is not None}


async def _repeat(connection: asyncpg.Connection, one: _Heard, stored: queries.StoredCommand) -> list[Outgoing]:
    if stored.answer is not None:
        return [_completed(one.command.command_id, stored.answer, one.command.reply_to, one.headers)]
    if one.command.reply_to:
        await connection.execute(_ANSWER_TOO, *one.command.identity, one.command.reply_to)
    return []


def _shown(command: CommandRead, results: Mapping[int, Result]) -> Shown:
    """The results of the command's items by index, as the answer has them."""
    shown: Shown = {}
    for index, item in command.items.items():
        raw_item = command.raw_items[index]
        ref = raw_item.get("ref") if isinstance(item, str) and isinstance(raw_item, dict) else None
        if isinstance(item, Item):
            ref = item.ref
        known = isinstance(ref, str | int) and not isinstance(ref, bool)
        shown[index] = results[index].shown(index, ref if known else None)
    return shown


def _payload(command_id: str, shown: Shown) -> str:
    results = [shown[index] for index in sorted(shown)]
    return orjson.dumps({"command_id": command_id, "results": results}).decode()


def _completed(command_id: str, payload: str, reply_to: str | None, headers: Mapping[str, str]) -> Outgoing:
    return Outgoing(
        type=CommandCompleted.type,
        body=payload.encode(),
        aggregate=f"command:{command_id}",
        correlation_id=command_id,
        reply_to=reply_to,
        headers=headers,
    )


def _whole(one: _Heard, code: str, message: str) -> Outgoing:
    return _refusal(RefusedWhole(one.command.command_id, code, message), one.command.reply_to, one.headers)


def _refusal(refusal: RefusedWhole, reply_to: str | None, headers: Mapping[str, str]) -> Outgoing:
    body = {
        "command_id": refusal.command_id,
        "outcome": "rejected",
        "code": refusal.code,
        "message": refusal.message,
        "results": [],
    }
    log.warning("command_refused", command_id=refusal.command_id, code=refusal.code, reason=refusal.message)
    return _completed(refusal.command_id, orjson.dumps(body).decode(), reply_to, headers)


def _pending(one: _Heard, results: Mapping[int, Result], missed: Sequence[int]) -> str:
    command = one.command
    settled = [index for index in command.items if index not in missed]
    return _pending_text(command.only(list(missed)), _shown(command.only(settled), results), one.headers)


def _pending_text(command: CommandRead, shown: Shown, headers: Mapping[str, str]) -> str:
    """What is needed to go on with the command after a restart."""
    kept = {
        "actor": command.actor,
        "reason": command.reason,
        "issued_at": command.issued_at.isoformat(),
        "options": {name: getattr(command.options, name) for name in Options.__dataclass_fields__},
        "items": {str(index): value for index, value in command.raw_items.items()},
        "results": list(shown.values()),
        "headers": dict(headers),
    }
    return orjson.dumps(kept).decode()


def _resume(row: asyncpg.Record) -> tuple[CommandRead, Shown, Mapping[str, str]]:
    kept = orjson.loads(row["pending"])
    raw_items = {int(index): value for index, value in kept["items"].items()}
    command = CommandRead(
        kind=_KINDS[row["type"]],
        broker_user=row["broker_user"],
        command_id=row["command_id"],
        digest=bytes(row["digest"]),
        actor=kept["actor"],
        reason=kept["reason"],
        issued_at=datetime.fromisoformat(kept["issued_at"]),
        expires_at=None,
        options=Options(**kept["options"]),
        items=read_items(raw_items),
        raw_items=raw_items,
        reply_to=None,
    )
    return command, {entry["index"]: entry for entry in kept["results"]}, kept["headers"]
