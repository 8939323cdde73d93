"""Saying again what is true now: the owner's half of rebuilding somebody's projection.

An asker sends `<service>.announce.v1` with a queue of its own. The owner reads its state page by page, tombstones too,
and puts each page on that queue; the last message says how many pages there were. Each page is a transaction of its
own: the owner's handler sends itself the command for the next one. Nothing is locked and pages are of different
moments, which is harmless: what changes meanwhile is announced as ever, and the newest version wins.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession

from common.messaging.envelope import Command, Event, Handler, Message
from common.messaging.outbox import MAX_ITEMS, record
from common.values import BigInt, Storable

Item = Mapping[str, object]
# from behind a key so many states in the order of their keys, each as the body of the event that announces it
Read = Callable[[AsyncSession, str, int], Awaitable[Sequence[tuple[str, Item]]]]
# a broker's default limit for one message is 16 MB; pages are far below it, so that nobody's memory suffers
PAGE_BYTES = 1_000_000

# only ever a queue that is there for this: a command cannot make an owner write into anybody's work queue
QueueName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]*\.rebuild$", max_length=100)]


class AnnounceRequest(BaseModel):
    """A request to say everything again. `source`, `after` and `part` are the owner's own bookmark."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    rebuild: UUID
    queue: QueueName
    source: int = Field(0, ge=0, le=100)
    after: Storable = ""
    part: BigInt = Field(0, ge=0)


class AskAnnounce(Command):
    """The asker's form of the request; a service's `events.py` names it by giving it the owner's type."""

    rebuild: UUID
    queue: str


class Continue(AskAnnounce):
    """The owner's own form: where it goes on."""

    source: int
    after: str
    part: int


class StateAnnounced(Event):
    """A page of an owner's state, straight to the asker's queue; the last one has no items, but the number of pages."""

    rebuild: UUID
    part: int
    of: str | None = None
    """The type of event whose bodies the items are."""
    items: list[dict[str, object]]
    end: bool = False
    parts: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of state that an owner announces."""

    of: str
    read: Read


def announcing(
    sources: Sequence[Source], *, event: type[StateAnnounced], again: type[Continue], page: int = MAX_ITEMS
) -> Handler:
    """The handler of an owner's `<service>.announce.v1`."""

    async def announce(session: AsyncSession, messages: Sequence[Message]) -> None:
        for message in messages:
            await _announce(session, message.parse(AnnounceRequest), sources, event=event, again=again, page=page)

    return announce


async def _announce(
    session: AsyncSession,
    request: AnnounceRequest,
    sources: Sequence[Source],
    *,
    event: type[StateAnnounced],
    again: type[Continue],
    page: int,
) -> None:
    aggregate = f"rebuild {request.rebuild}"  # pages go out in order
    if request.source >= len(sources):
        end = event(rebuild=request.rebuild, part=request.part, items=[], end=True, parts=request.part)
        record(session, end, aggregate=aggregate, version=request.part, queue=request.queue)
        return
    source = sources[request.source]
    rows = await source.read(session, request.after, page)
    kept = _fitting(rows)
    part = request.part
    if kept:
        items = [dict(item) for _, item in kept]
        said = event(rebuild=request.rebuild, part=part, of=source.of, items=items)
        record(session, said, aggregate=aggregate, version=part, queue=request.queue)
        part += 1
    more = len(kept) < len(rows) or len(rows) == page
    bookmark = (request.source, kept[-1][0]) if more else (request.source + 1, "")
    onward = again(rebuild=request.rebuild, queue=request.queue, source=bookmark[0], after=bookmark[1], part=part)
    record(session, onward, aggregate=aggregate, version=part)


def _fitting(rows: Sequence[tuple[str, Item]]) -> Sequence[tuple[str, Item]]:
    """As many as fit into a message, at least one."""
    size = 0
    for number, (_, item) in enumerate(rows):
        size += len(orjson.dumps(item, default=str))
        if size > PAGE_BYTES and number > 0:
            return rows[:number]
    return rows
