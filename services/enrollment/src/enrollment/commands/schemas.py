"""Commands as they come over the bus, from publishers who know only the contract."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from common.values import has_nul
from enrollment.enrollments.models import Options

MAX_ITEMS: Final = 500
MAX_ID: Final = 255
# a publisher's clock may be ahead; a date far in the future must not keep later commands from being applied
_MAX_AHEAD: Final = timedelta(minutes=5)

Kind = Literal["enroll", "unenroll"]
Short = Annotated[str, StringConstraints(min_length=1, max_length=MAX_ID)]


class _Heard(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


def _tuple(value: object) -> object:
    """JSON has lists only; null means none."""
    if isinstance(value, list):
        return tuple(value)
    return () if value is None else value


class AttributeWanted(_Heard):
    """A named value to be kept with the enrollment."""

    namespace: Short
    name: Short
    value: Annotated[str, StringConstraints(max_length=MAX_ID)]


class Named(_Heard):
    """A learner and a course."""

    ref: str | int | None = None
    username: Short | None = None
    email: Short | None = None
    external_key: Short | None = None
    program_uuid: Short | None = None
    course_id: Short

    @property
    def is_addressed(self) -> bool:
        """One of the three ways to name a learner; a username stands over an e-mail address, as by HTTP."""
        return bool(self.username or self.email or (self.external_key and self.program_uuid))


class Item(Named):
    """A learner, a course, and what the learner shall be there; unenrolling uses no more than the first two."""

    mode: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    is_active: bool | None = None
    cohort: Short | None = None
    attributes: Annotated[tuple[AttributeWanted, ...], BeforeValidator(_tuple)] = ()


class _OptionsHeard(BaseModel):
    """A misspelt option must not be taken for a granted one, so unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    ignore_window: bool = False
    ignore_capacity: bool = False
    ignore_invitation: bool = False
    ignore_mode_expiry: bool = False


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError("not an ISO 8601 date and time")
    parsed = datetime.fromisoformat(value)
    try:
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except OverflowError as error:  # of the first and the last hours there are
        raise ValueError("not a date of this calendar in UTC") from error


_When = Annotated[datetime, BeforeValidator(_instant)]


class _Envelope(_Heard):
    command_id: Short
    requested_by: Short | dict[str, object]
    reason: Annotated[str, StringConstraints(max_length=2000)] | None = None
    issued_at: _When | None = None
    expires_at: _When | None = None
    options: _OptionsHeard | None = None


class _AnyItems(_Envelope):
    """Items are read one by one: a bad one harms no neighbour."""

    items: list[object]


class EnrollHeard(_Envelope):
    """enrollment.enroll.v1"""

    items: Annotated[list[Item], Field(min_length=1, max_length=MAX_ITEMS)]


class UnenrollHeard(_Envelope):
    """enrollment.unenroll.v1"""

    items: Annotated[list[Named], Field(min_length=1, max_length=MAX_ITEMS)]


_ITEMS: Final = TypeAdapter(list[Item])
_ITEM: Final = TypeAdapter(Item)


@dataclass(frozen=True, slots=True)
class CommandRead:
    """A command that can be carried out; an item that cannot be read stands as the text that says why."""

    kind: Kind
    broker_user: str
    command_id: str
    digest: bytes
    actor: str
    reason: str | None
    issued_at: datetime
    expires_at: datetime | None
    options: Options
    items: dict[int, Item | str]
    raw_items: dict[int, object]
    reply_to: str | None

    @property
    def identity(self) -> tuple[str, str]:
        return self.broker_user, self.command_id

    def only(self, indexes: list[int]) -> "CommandRead":
        """The same command with some of its items."""
        return replace(
            self,
            items={index: self.items[index] for index in indexes},
            raw_items={index: self.raw_items[index] for index in indexes},
        )


class Unreadable(Exception):
    """The message names no command that could be answered."""


class RefusedWhole(Exception):
    """The command is answered as a whole."""

    def __init__(self, command_id: str, code: str, message: str) -> None:
        self.command_id, self.code, self.message = command_id, code, message
        super().__init__(message)


def read_command(
    body: bytes, kind: Kind, *, broker_user: str, reply_to: str | None, received_at: datetime
) -> CommandRead:
    """Raises `Unreadable` without a command id, `RefusedWhole` for a command that is answered but not carried out."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"not JSON: {error}") from error
    command_id = parsed.get("command_id") if isinstance(parsed, dict) else None
    # bytes: it is the answer's correlation id, which AMQP gives so many
    if not isinstance(command_id, str) or not 0 < len(command_id.encode()) <= MAX_ID or "\x00" in command_id:
        raise Unreadable("no readable command_id")
    if has_nul(body):
        raise RefusedWhole(command_id, "malformed", "A string has a NUL in it.")
    items = parsed.get("items")
    if isinstance(items, list) and len(items) > MAX_ITEMS:
        text = f"A command takes 1 to {MAX_ITEMS} items, this one has {len(items)}."
        raise RefusedWhole(command_id, "too_many_items", text)
    if not isinstance(items, list) or not items:
        raise RefusedWhole(command_id, "malformed", f"items: a list of 1 to {MAX_ITEMS} items is required.")
    try:
        envelope = _AnyItems.model_validate(parsed)
    except ValidationError as error:
        raise RefusedWhole(command_id, "malformed", _first(error)) from error
    issued_at = envelope.issued_at
    try:
        # the same JSON in another layout is the same command
        canonical = orjson.dumps(parsed, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise RefusedWhole(command_id, "malformed", "The command is nested too deep.") from error
    return CommandRead(
        kind=kind,
        broker_user=broker_user,
        command_id=command_id,
        digest=hashlib.sha256(kind.encode() + canonical).digest(),
        actor=_actor(envelope.requested_by),
        reason=envelope.reason,
        issued_at=received_at if issued_at is None else min(issued_at, received_at + _MAX_AHEAD),
        expires_at=envelope.expires_at,
        options=Options(**envelope.options.model_dump()) if envelope.options else Options(),
        items=read_items(dict(enumerate(items))),
        raw_items=dict(enumerate(items)),
        reply_to=reply_to,
    )


def read_items(raw: Mapping[int, object]) -> dict[int, Item | str]:
    """Each item, or what is wrong with it: one bad item harms no neighbour."""
    try:
        read: list[Item | str] = list(_ITEMS.validate_python(list(raw.values())))
    except ValidationError:
        read = [_read_item(value) for value in raw.values()]
    return {
        index: item if isinstance(item, str) or item.is_addressed else "username, email or external_key is required"
        for index, item in zip(raw, read, strict=True)
    }


def _read_item(value: object) -> Item | str:
    try:
        return _ITEM.validate_python(value)
    except ValidationError as error:
        return _first(error)


def _first(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in found["loc"])
    return f"{place}: {found['msg']}" if place else found["msg"]


def _actor(requested_by: str | dict[str, object]) -> str:
    if isinstance(requested_by, str):
        return requested_by
    name = requested_by.get("username")
    return name if isinstance(name, str) and name else orjson.dumps(requested_by).decode()[:MAX_ID]
