"""Facts and requests between services: stored with the change that makes them true, handled once.

A sender calls `record` in its transaction; `run_relay` publishes what is waiting. A receiver lists `Subscription`s;
`run_consumers` hands their handlers batches of new messages inside one transaction each.
"""

from common.messaging import crash, outbox
from common.messaging.consumer import run_consumers
from common.messaging.envelope import Command, Event, Handler, Malformed, Message, Permanent, Subscription
from common.messaging.outbox import record
from common.messaging.relay import run_relay
from common.messaging.tables import MESSAGING_TABLES_V1
from common.messaging.topology import apply_topology

__all__ = [
    "MESSAGING_TABLES_V1",
    "Command",
    "Event",
    "Handler",
    "Malformed",
    "Message",
    "Permanent",
    "Subscription",
    "apply_topology",
    "crash",
    "outbox",
    "record",
    "run_consumers",
    "run_relay",
]
