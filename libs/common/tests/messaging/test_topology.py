"""The repository's topology is sound, and applying it again changes nothing."""

from pathlib import Path

import aio_pika
import pytest
import yaml

from common.messaging import apply_topology
from common.messaging.topology import (
    BULK,
    InvalidTopology,
    Topology,
    TopologyConflict,
    declare,
    load_topology,
    parked_queue,
    retry_exchange,
)

# x-arguments known to RabbitMQ 3.10 and 4.x alike for quorum queues
LEGAL = {
    "x-queue-type", "x-delivery-limit", "x-dead-letter-exchange", "x-dead-letter-strategy", "x-overflow",
    "x-max-length", "x-max-length-bytes", "x-message-ttl",
}  # fmt: skip


@pytest.fixture(scope="module")
def real(repository: Path) -> Topology:
    return load_topology(repository / "contracts" / "topology.yaml")


def test_every_binding_to_the_bus_is_a_declared_type(real):
    for binding in real.bindings:
        if binding.exchange == "lectern.events":
            assert real.messages[binding.key.removesuffix(BULK)] == "event"
        if binding.exchange == "lectern.commands":
            assert real.messages[binding.key] == "command"


def test_every_command_has_one_queue(real):
    keys = [binding.key for binding in real.bindings if binding.exchange == "lectern.commands"]
    assert sorted(keys) == sorted(name for name, kind in real.messages.items() if kind == "command")


def test_queues_are_quorum_queues_with_an_explicit_limit_and_arguments_every_broker_knows(real):
    for queue in real.queues:
        assert queue.arguments["x-queue-type"] == "quorum", queue.name
        assert "x-delivery-limit" in queue.arguments, queue.name
        assert set(queue.arguments) <= LEGAL, queue.name


def test_dead_letters_are_kept_at_least_once(real):
    work = {name for queues in real.work_queues.values() for name in queues}
    for queue in real.queues:
        if queue.name in work:
            assert queue.arguments["x-dead-letter-strategy"] == "at-least-once"
            assert queue.arguments["x-overflow"] == "reject-publish"  # without it the broker falls back silently
            assert queue.arguments["x-delivery-limit"] > 0
            assert ("x-max-length-bytes" in queue.arguments) == (
                queue.name.split(".")[1] in ("commands", "imports", "announce")
            )


def test_every_service_with_queues_has_a_parking_lot_and_retry_tiers(real):
    names = {queue.name for queue in real.queues}
    assert real.tiers == ("10s", "1m", "10m")
    for service, queues in real.work_queues.items():
        if queues:
            assert parked_queue(service) in names
            assert {retry_exchange(service, tier) for tier in real.tiers} <= names


async def test_applying_twice_is_a_no_op(bus, topology):
    await apply_topology(bus.settings)
    await bus.publish(b"{}", key="sample.do_it.v1", exchange="lectern.commands")
    await apply_topology(bus.settings)
    assert await bus.waiting("sample.commands") == 1


async def test_a_queue_that_exists_otherwise_is_named(bus, topology, amqp_url):
    changed = Topology(
        exchanges=(),
        queues=tuple(
            type(queue)(queue.name, {**queue.arguments, "x-delivery-limit": 7})
            for queue in topology.queues
            if queue.name == "sample.events"
        ),
        bindings=(),
        messages={},
        tiers=(),
        work_queues={},
    )
    async with await aio_pika.connect(amqp_url) as connection:
        with pytest.raises(TopologyConflict, match=r"sample\.events"):
            await declare(connection, changed)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"content.events": {"kind": "events", "hears": ["content.nothing.v1"]}}, "no event in messages"),
        ({"content.events": {"kind": "odd"}}, "unknown kind"),
        ({"other.events": {"kind": "events"}}, "not named after its service"),
        ({"content.more": {"kind": "commands", "handles": ["enrollment.enroll.v1"]}}, "two handlers"),
        ({"content.imports": {"kind": "commands"}}, "nobody handles"),
        ({"content.events": {"kind": "events", "hear": []}}, "hear"),
    ],
)
def test_a_contradiction_in_the_file_is_refused(repository, tmp_path, change, complaint):
    source = yaml.safe_load((repository / "contracts" / "topology.yaml").read_text())
    source["services"]["content"] |= change
    path = tmp_path / "topology.yaml"
    path.write_text(yaml.safe_dump(source))
    with pytest.raises(InvalidTopology, match=complaint):
        load_topology(path)
