"""A service of the tests' own: an owner of items, and a reader that keeps a copy of them. Also runs as a process."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, SecretStr
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from common.messaging import Command, Event, Message, Permanent, Subscription, crash, run_consumers, run_relay
from common.resources import open_resources
from common.settings import ServiceSettings

SERVICE = "sample"
EVENTS, BULK, COMMANDS = "sample.events", "sample.events.bulk", "sample.commands"
PARKED = "sample.parked"

TABLES = (
    # the copy, latest wins; how often each version was applied is the ledger
    "create table item (id text primary key, version bigint not null, name text not null)",
    "create table applied (seq bigint generated always as identity, id text, version bigint, message uuid)",
)


class Item(BaseModel):
    id: str
    version: int
    name: str = ""


class ItemsChanged(Event):
    type: ClassVar = "sample.items.changed.v1"
    batch_field: ClassVar = "items"
    items: list[Item]


class NoteAdded(Event):
    type: ClassVar = "sample.note.added.v1"
    note: str


class Unheard(Event):
    type: ClassVar = "sample.unheard.added.v1"
    note: str


class DoIt(Command):
    type: ClassVar = "sample.do_it.v1"
    what: str


class Nobody(Command):
    type: ClassVar = "sample.nobody.v1"
    what: str


async def apply_items(session: AsyncSession, messages: Sequence[Message]) -> None:
    """The projection every reader here has: newer versions win, whatever comes in whatever order."""
    newest: dict[str, Item] = {}
    for message in messages:
        for item in message.parse(ItemsChanged).items:
            if item.name == "poison" and not cured():
                raise Permanent("poison")
            await session.execute(
                text("insert into applied (id, version, message) values (:id, :version, :message)"),
                {"id": item.id, "version": item.version, "message": message.id},
            )
            if item.id not in newest or newest[item.id].version < item.version:
                newest[item.id] = item
    for item in newest.values():
        await session.execute(
            text(
                "insert into item values (:id, :version, :name) on conflict (id) do update set "
                "version = excluded.version, name = excluded.name where excluded.version > item.version"
            ),
            item.model_dump(),
        )


_cure = {"found": False}


def cured() -> bool:
    return _cure["found"]


def find_cure(found: bool) -> None:
    _cure["found"] = found


def items_subscription(queue: str = EVENTS, batch: int = 100) -> Subscription:
    return Subscription(queue=queue, handlers={ItemsChanged.type: apply_items}, batch=batch, consumer=SERVICE)


def sample_settings(database_url: str, amqp_url: str, topology: Path, **changes: object) -> ServiceSettings:
    values: dict[str, object] = {
        "database_url": SecretStr(database_url),
        "amqp_url": SecretStr(amqp_url),
        "blobs_url": f"file://{topology.parent}/blobs",
        "http_port": 1,
        "topology_file": topology,
        "shutdown_seconds": 4.0,
        "relay_poll_seconds": 0.3,
        **changes,
    }
    return ServiceSettings.model_validate(values)


async def main(role: str, database_url: str, amqp_url: str, topology: str, crash_at: str) -> None:
    settings = sample_settings(database_url, amqp_url, Path(topology))
    crash.arm(crash_at)
    async with open_resources(SERVICE, settings) as resources:
        roles: dict[str, Callable[[], Awaitable[None]]] = {
            "relay": lambda: run_relay(resources),
            "consume": lambda: run_consumers(resources, [items_subscription(batch=5)]),
        }
        task = asyncio.ensure_future(roles[role]())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        sys.stdout.write(f"started {os.getpid()}\n")
        sys.stdout.flush()
        await asyncio.gather(task, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:6]))
