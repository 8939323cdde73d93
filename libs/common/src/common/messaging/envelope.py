"""What travels: facts and requests as the owner declares them, and messages as a consumer receives them."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, TypeVar
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict
from sqlalchemy.ext.asyncio import AsyncSession

EVENTS = "lectern.events"
COMMANDS = "lectern.commands"
DEFAULT_EXCHANGE = ""

# CloudEvents 1.0, binary mode. AMQP 0-9-1 has no official binding; this is the header prefix of the AMQP 1.0 one, which
# RabbitMQ 4 maps our headers to.
CE_ID = "cloudEvents_id"
CE_TYPE = "cloudEvents_type"
CE_SOURCE = "cloudEvents_source"
CE_TIME = "cloudEvents_time"
CE_SUBJECT = "cloudEvents_subject"
CE_SPECVERSION = "cloudEvents_specversion"
CE_SEQUENCE = "cloudEvents_sequence"
REQUEST_ID = "request_id"
TRACEPARENT = "traceparent"
ATTEMPT = "x-attempt"

_WIRE_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+\.v[1-9][0-9]*\Z")

M = TypeVar("M", bound=BaseModel)
_Class = type[M]  # `type` is a field below


class Permanent(Exception):
    """Trying again cannot help: a handler raises this, and the message is parked at once."""


class Malformed(Permanent):
    """The message cannot be read: no JSON object, no type, an unreadable id, or an unknown version of a known type."""


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    type: ClassVar[str]
    batch_field: ClassVar[str | None] = None
    exchange: ClassVar[str]

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        """A wire name is written out and follows the grammar, or the class does not come into being."""
        if "type" in cls.__dict__ and not _WIRE_NAME.match(cls.type):
            raise TypeError(f"{cls.__name__}: {cls.type!r} is no wire name like 'content.course.published.v1'")
        if cls.batch_field is not None and cls.batch_field not in cls.model_fields:
            raise TypeError(f"{cls.__name__} has no field {cls.batch_field!r} to merge")


class Event(_Sent):
    """A fact its owner announces; whoever cares hears it.

    `batch_field` names the one list that the relay may merge with those of waiting neighbours, up to 500 items.
    """

    exchange = EVENTS


class Command(_Sent):
    """A request to the one service that handles it; unroutable means it has none, and the sender's log says so."""

    exchange = COMMANDS


@dataclass(frozen=True, slots=True)
class Message:
    """One received message. `user_id` is the broker's word (checked by it) for who published."""

    id: UUID
    type: str
    body: bytes
    headers: Mapping[str, object]
    correlation_id: str | None = None
    reply_to: str | None = None
    user_id: str | None = None
    published_at: datetime | None = None
    redelivered: bool = False
    attempt: int = 0

    def json(self) -> dict[str, object]:
        """The body. Raises `Malformed`."""
        try:
            parsed = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise Malformed(f"The body is not JSON: {error}") from error
        if not isinstance(parsed, dict):
            raise Malformed("The body is not a JSON object.")
        return parsed

    def parse(self, model: _Class[M]) -> M:
        """The body as *model*. Raises pydantic's ValidationError, which parks the message."""
        return model.model_validate_json(self.body)

    @property
    def request_id(self) -> str | None:
        value = self.headers.get(REQUEST_ID)
        return value if isinstance(value, str) else None

    @property
    def traceparent(self) -> str | None:
        value = self.headers.get(TRACEPARENT)
        return value if isinstance(value, str) else None


# A handler gets the new messages of one batch, in the order they came, inside one transaction that it must not end.
Handler = Callable[[AsyncSession, Sequence[Message]], Awaitable[None]]


@dataclass(frozen=True)
class Subscription:
    """What one queue's messages lead to. Types that share a handler function reach it together, in order.

    `repeats` is for commands with an identity of their own (publisher and command id): a message published again on
    purpose reaches the handler again, which repeats its stored answer, instead of ending at the inbox.
    """

    queue: str
    handlers: Mapping[str, Handler]
    batch: int = 100
    consumer: str = ""
    repeats: bool = False

    @property
    def name(self) -> str:
        return self.consumer or self.queue
