"""What the broker holds: read from `contracts/topology.yaml`, checked, and declared; a second time changes nothing."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import aio_pika
import structlog
import yaml
from aio_pika.abc import AbstractConnection, AbstractQueue
from aio_pika.exceptions import ChannelClosed
from pydantic import BaseModel, ConfigDict, ValidationError

from common.messaging.envelope import COMMANDS, DEFAULT_EXCHANGE, EVENTS
from common.messaging.transport import CALL_SECONDS, TRANSPORT_ERRORS, close_quietly, connect
from common.settings import ServiceSettings

log = structlog.get_logger()
BULK = ".bulk"
_CONNECT_ATTEMPTS = 20

Arguments = Mapping[str, str | int]


class InvalidTopology(Exception):
    """The topology file contradicts itself."""


class TopologyConflict(Exception):
    """The broker holds something of this name with other arguments: give it a new name and drain the old one."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _MessageType(_Strict):
    kind: Literal["event", "command"]
    owner: str


class _Exchange(_Strict):
    type: Literal["fanout", "direct", "topic"]
    arguments: dict[str, str | int] = {}


class _Bind(_Strict):
    exchange: str
    key: str


class _Queue(_Strict):
    bind: tuple[_Bind, ...]
    arguments: dict[str, str | int]


class _ServiceQueue(_Strict):
    kind: str
    hears: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    receives: tuple[str, ...] = ()  # sent straight to the queue, so not bound
    arguments: dict[str, str | int] = {}


class _File(_Strict):
    messages: dict[str, _MessageType]
    exchanges: dict[str, _Exchange]
    queues: dict[str, _Queue]
    kinds: dict[str, dict[str, str | int]]
    retry: dict[str, int]
    services: dict[str, dict[str, _ServiceQueue]]

    def kind_of(self, key: str) -> str | None:
        known = self.messages.get(_type_of(key))
        return known.kind if known else None


@dataclass(frozen=True, slots=True)
class Exchange:
    name: str
    type: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Queue:
    name: str
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class Binding:
    queue: str
    exchange: str
    key: str


@dataclass(frozen=True)
class Topology:
    """Everything to declare, in the order exchanges, queues, bindings."""

    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]
    messages: Mapping[str, str]  # type → "event" or "command"
    tiers: tuple[str, ...]  # names of the retry tiers, shortest wait first
    work_queues: Mapping[str, tuple[str, ...]]  # service → its queues


def prefix_of(service: str) -> str:
    """A service's name on the wire: `course-catalog` is `course_catalog`."""
    return service.replace("-", "_")


def parked_queue(service: str) -> str:
    return f"{prefix_of(service)}.parked"


def dead_letter_exchange(service: str) -> str:
    return f"{prefix_of(service)}.dlx"


def retry_exchange(service: str, tier: str) -> str:
    return f"{prefix_of(service)}.retry.{tier}"


def load_topology(path: Path) -> Topology:
    """Read, check and expand the file. Raises `InvalidTopology`."""
    try:
        source = _File.model_validate(yaml.safe_load(path.read_text()))
    except (ValidationError, yaml.YAMLError) as error:
        raise InvalidTopology(f"{path}: {error}") from error
    problems = _problems(source)
    if problems:
        raise InvalidTopology(f"{path}: " + "; ".join(problems))
    return _expand(source)


def _type_of(key: str) -> str:
    return key.removesuffix(BULK)


def _problems(source: _File) -> list[str]:
    found: list[str] = []
    handlers: dict[str, str] = {}
    every = [(service, name, queue) for service, queues in source.services.items() for name, queue in queues.items()]
    for service, name, queue in every:
        if not name.startswith(f"{service}."):
            found.append(f"{name} is not named after its service {service}")
        if queue.kind not in source.kinds:
            found.append(f"{name} is of an unknown kind {queue.kind}")
        strange = (key for key in (*queue.hears, *queue.receives) if source.kind_of(key) != "event")
        found += [f"{name} hears {key}, which is no event in messages" for key in strange]
        for key in queue.handles:
            if source.kind_of(key) != "command" or source.messages[_type_of(key)].owner != service:
                found.append(f"{name} handles {key}, which is no command that {service} owns")
            if handlers.setdefault(key, name) != name:
                found.append(f"the command {key} has two handlers, {handlers[key]} and {name}")
    commands = {name for name, item in source.messages.items() if item.kind == "command"}
    found += [f"nobody handles the command {name}" for name in sorted(commands - set(handlers))]
    return found + _exchange_problems(source)


def _exchange_problems(source: _File) -> list[str]:
    binds = [(name, bind.exchange) for name, queue in source.queues.items() for bind in queue.bind]
    found = [f"{name} binds to the unknown exchange {to}" for name, to in binds if to not in source.exchanges]
    return found + [f"exchange {name} is not declared" for name in (EVENTS, COMMANDS) if name not in source.exchanges]


def _expand(source: _File) -> Topology:
    exchanges = [Exchange(name, item.type, item.arguments) for name, item in source.exchanges.items()]
    queues = [Queue(name, item.arguments) for name, item in source.queues.items()]
    bindings = [Binding(name, bind.exchange, bind.key) for name, item in source.queues.items() for bind in item.bind]
    tiers = tuple(sorted(source.retry, key=lambda tier: source.retry[tier]))
    for service, own in source.services.items():
        if not own:
            continue
        # never dropped: the parking lot is where dropped things would have to be found
        exchanges.append(Exchange(dead_letter_exchange(service), "fanout", {}))
        queues.append(Queue(parked_queue(service), {"x-queue-type": "quorum", "x-delivery-limit": -1}))
        bindings.append(Binding(parked_queue(service), dead_letter_exchange(service), ""))
        for tier in tiers:
            # a fanout exchange keeps the routing key, which is the origin queue; the expired copy goes back there
            name = retry_exchange(service, tier)
            exchanges.append(Exchange(name, "fanout", {}))
            queues.append(Queue(name, _dead_letters_to(DEFAULT_EXCHANGE) | {"x-message-ttl": source.retry[tier]}))
            bindings.append(Binding(name, name, ""))
        for name, queue in own.items():
            arguments = _dead_letters_to(dead_letter_exchange(service)) | source.kinds[queue.kind] | queue.arguments
            queues.append(Queue(name, arguments))
            bindings += [Binding(name, EVENTS, key) for key in queue.hears]
            bindings += [Binding(name, COMMANDS, key) for key in queue.handles]
    return Topology(
        exchanges=tuple(exchanges),
        queues=tuple(queues),
        bindings=tuple(bindings),
        messages={name: item.kind for name, item in source.messages.items()},
        tiers=tiers,
        work_queues={service: tuple(own) for service, own in source.services.items()},
    )


def _dead_letters_to(exchange: str) -> dict[str, str | int]:
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": -1,
        "x-dead-letter-exchange": exchange,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


async def apply_topology(settings: ServiceSettings) -> None:
    """Declare the whole file on the broker, waiting for a broker that is still starting. Raises `TopologyConflict`."""
    topology = load_topology(settings.topology_file)
    for attempt in range(1, _CONNECT_ATTEMPTS + 1):
        try:
            connection = await connect(settings.amqp_url.get_secret_value(), "migrate")
            break
        except TRANSPORT_ERRORS as error:
            if attempt == _CONNECT_ATTEMPTS:
                raise
            log.warning("broker_not_ready", error=repr(error))
            await asyncio.sleep(1)
    try:
        await declare(connection, topology)
    finally:
        await close_quietly(connection)
    log.info("topology_applied", queues=len(topology.queues), bindings=len(topology.bindings))


async def declare(connection: AbstractConnection, topology: Topology) -> None:
    """Declare *topology*; what is there already stays as it is. Raises `TopologyConflict`."""
    channel = await connection.channel(publisher_confirms=False)
    name = ""
    try:
        for exchange in topology.exchanges:
            name = exchange.name
            await channel.declare_exchange(
                name,
                aio_pika.ExchangeType(exchange.type),
                durable=True,
                arguments=dict(exchange.arguments),
                timeout=CALL_SECONDS,
            )
        declared: dict[str, AbstractQueue] = {}
        for queue in topology.queues:
            name = queue.name
            declared[name] = await channel.declare_queue(
                name, durable=True, arguments=dict(queue.arguments), timeout=CALL_SECONDS
            )
        for binding in topology.bindings:
            name = binding.queue
            await declared[name].bind(binding.exchange, binding.key, timeout=CALL_SECONDS)
    except ChannelClosed as error:
        raise TopologyConflict(f"{name}: {error}") from error
    finally:
        await close_quietly(channel)
