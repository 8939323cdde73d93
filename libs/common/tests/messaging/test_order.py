"""Readers of state-carrying events reach the same state from any order, with any repeats, in any batches."""

from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st
from sample import Item, ItemsChanged, apply_items
from sqlalchemy import text

from common.messaging import Message
from common.messaging.inbox import remember

HISTORY = [Item(id=name, version=version, name=f"{name}{version}") for name in "ab" for version in (1, 2, 3)]
MESSAGES = [
    Message(
        id=uuid4(),
        type=ItemsChanged.type,
        body=ItemsChanged(items=[item]).model_dump_json().encode(),
        headers={},
    )
    for item in HISTORY
]


@settings(max_examples=25)
@given(
    order=st.permutations(range(len(MESSAGES))),
    repeats=st.lists(st.integers(0, len(MESSAGES) - 1), max_size=6),
    size=st.integers(1, 5),
)
async def test_any_order_with_any_repeats_gives_the_same_copy(bus_once, order, repeats, size):
    async with bus_once.resources.sessions.begin() as session:
        for table in ("item", "applied", "inbox"):
            await session.execute(text(f"delete from {table}"))
    sequence = [*order, *repeats]
    for start in range(0, len(sequence), size):
        batch = [MESSAGES[index] for index in sequence[start : start + size]]
        async with bus_once.resources.sessions.begin() as session:
            fresh = await remember(session, "reader", [message.id for message in batch])
            new = [message for message in dict.fromkeys(message.id for message in batch) if message in fresh]
            await apply_items(session, [message for message in MESSAGES if message.id in new])
    assert await bus_once.value("select string_agg(name, ',' order by id) from item") == "a3,b3"
    assert await bus_once.value("select count(*) from applied") == len(MESSAGES)
