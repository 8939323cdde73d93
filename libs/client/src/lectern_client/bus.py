"""Enrollment commands on the bus, with plain aio-pika: pip install 'lectern-client[bus]'.

No HTTP and no rate limit: up to 500 learners a command, an outcome for each, and the same command sent twice has one
effect.

    async with EnrollmentBus("amqps://registrar:secret@bus.example.org/lectern", requested_by="registrar") as bus:
        for outcome in await bus.enroll([{"username": "alice", "course_id": "course-v1:Org+Course+Run"}]):
            print(outcome.ref, outcome.outcome, outcome.code)
"""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Literal, Self

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractExchange, AbstractIncomingMessage, AbstractQueue
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from lectern_client.errors import LecternError

MOST_ITEMS = 500
EXCHANGE = "lectern.commands"

Item = Mapping[str, object]
"""`username`, `email`, or `external_key` with `program_uuid`; `course_id`; `ref`, `mode`, `is_active`, `cohort`."""


class Outcome(BaseModel):
    """What became of one item."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    index: int
    ref: str | None = None
    outcome: Literal["enrolled", "unchanged", "unenrolled", "waiting", "rejected"]
    code: str | None = None
    message: str | None = None


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")

    command_id: str
    results: list[Outcome] = []
    outcome: str | None = None
    code: str | None = None
    message: str | None = None


class CommandRejected(LecternError):
    """A whole command was refused; none of its items has an effect."""

    def __init__(self, command_id: str, code: str | None, message: str | None) -> None:
        super().__init__(f"{message or 'The command was rejected.'} ({code})")
        self.command_id, self.code, self.message = command_id, code, message


class NotAnswered(LecternError):
    """No outcome came in time. The commands may still be carried out: send them again under their ids to learn it."""

    def __init__(self, command_ids: Sequence[str], seconds: float) -> None:
        super().__init__(f"{len(command_ids)} commands were not answered within {seconds:g} s.")
        self.command_ids = list(command_ids)


class EnrollmentBus:
    """A connection to the bus, for one caller at a time."""

    def __init__(self, url: str, *, requested_by: str, timeout: float = 60.0) -> None:
        self._url, self._requested_by, self._timeout = url, requested_by, timeout
        self._connection: AbstractConnection | None = None
        self._exchange: AbstractExchange | None = None
        self._replies: AbstractQueue | None = None
        self._waiting: dict[str, asyncio.Future[_Answer]] = {}

    async def __aenter__(self) -> Self:
        try:
            self._connection = await aio_pika.connect(self._url, timeout=self._timeout)
        except (OSError, aio_pika.exceptions.AMQPError) as error:
            raise LecternError(f"The bus cannot be reached: {error}") from error
        channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        self._exchange = await channel.get_exchange(EXCHANGE, ensure=False)
        self._replies = await channel.declare_queue(exclusive=True, auto_delete=True)
        await self._replies.consume(self._hear, no_ack=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def enroll(
        self, items: Sequence[Item], *, reason: str | None = None, expires_at: datetime | None = None
    ) -> list[Outcome]:
        """Enroll any number of learners; one outcome for each item, in the items' order."""
        return await self._send("enrollment.enroll.v1", items, reason, expires_at)

    async def unenroll(
        self, items: Sequence[Item], *, reason: str | None = None, expires_at: datetime | None = None
    ) -> list[Outcome]:
        """The reverse of `enroll`."""
        return await self._send("enrollment.unenroll.v1", items, reason, expires_at)

    async def _send(
        self, kind: str, items: Sequence[Item], reason: str | None, expires_at: datetime | None
    ) -> list[Outcome]:
        parts = [items[start : start + MOST_ITEMS] for start in range(0, len(items), MOST_ITEMS)]
        outcomes: list[Outcome] = []
        for number, part in enumerate(parts):
            command: dict[str, object] = {"command_id": str(uuid.uuid4()), "requested_by": self._requested_by}
            command |= {"reason": reason} if reason else {}
            command |= {"expires_at": expires_at.isoformat()} if expires_at else {}
            found = await self.send(kind, {**command, "items": [dict(item) for item in part]})
            first = number * MOST_ITEMS
            outcomes += [result.model_copy(update={"index": first + result.index}) for result in found]
        return outcomes

    async def send(self, kind: str, command: Mapping[str, object]) -> list[Outcome]:
        """Send one command as it stands and wait for its outcome; the same `command_id` again is answered again.

        Raises `CommandRejected`, `NotAnswered`.
        """
        if self._exchange is None or self._replies is None:
            raise LecternError("The bus is used as `async with EnrollmentBus(...)`.")
        command_id = str(command["command_id"])
        answer: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting[command_id] = answer
        message = aio_pika.Message(
            TypeAdapter(dict[str, object]).dump_json(dict(command)),
            content_type="application/json",
            message_id=command_id,
            reply_to=self._replies.name,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        try:
            await self._exchange.publish(message, routing_key=kind, timeout=self._timeout)
            async with asyncio.timeout(self._timeout):
                found = await answer
        except TimeoutError as error:
            raise NotAnswered([command_id], self._timeout) from error
        except aio_pika.exceptions.AMQPError as error:
            raise LecternError(f"The bus did not take the command: {error}") from error
        finally:
            del self._waiting[command_id]
        if found.outcome == "rejected" and not found.results:
            raise CommandRejected(command_id, found.code, found.message)
        return found.results

    async def _hear(self, message: AbstractIncomingMessage) -> None:
        try:
            answer = _Answer.model_validate_json(message.body)
        except ValidationError:
            return
        waiting = self._waiting.get(answer.command_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
