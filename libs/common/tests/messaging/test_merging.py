"""Rows become units: sizes, order and identity, without a broker."""

import json
from datetime import UTC, datetime
from itertools import pairwise
from uuid import uuid4

import orjson
from hypothesis import given
from hypothesis import strategies as st

from common.messaging.merging import Row, Unit, arrange, parcels_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def row(
    position: int, *, aggregate: str = "a", items: int | None = 1, kind: str = "x.items.v1", **changes: object
) -> Row:
    payload = orjson.dumps({"items": [f"{position}.{number}" for number in range(items or 0)]}).decode()
    values: dict[str, object] = {
        "position": position,
        "id": uuid4(),
        "exchange": "lectern.events",
        "routing_key": kind,
        "type": kind,
        "aggregate": aggregate,
        "version": position,
        "payload": payload,
        "body": None,
        "headers": {},
        "correlation_id": None,
        "reply_to": None,
        "batch_field": "items" if items is not None else None,
        "items": items,
        "batch_id": None,
        "created_at": NOON,
        "attempts": 0,
        **changes,
    }
    return Row(**values)  # type: ignore[arg-type]


rows = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.sampled_from([None, 1, 200, 499, 500]),
        st.sampled_from(["x.items.v1", "y.items.v1"]),
    ),
    max_size=40,
).map(lambda made: [row(n, aggregate=a, items=i, kind=k) for n, (a, i, k) in enumerate(made)])


@given(rows)
def test_every_row_travels_once_in_units_of_at_most_500_items(given_rows):
    units = arrange(given_rows)
    assert sorted(position for unit in units for position in unit.positions) == list(range(len(given_rows)))
    assert all(unit.items <= 500 for unit in units)
    assert all(len({(r.type, r.routing_key) for r in unit.rows}) == 1 for unit in units)


@given(rows)
def test_no_row_overtakes_an_earlier_one_of_its_aggregate(given_rows):
    wave = {position: unit.wave for unit in arrange(given_rows) for position in unit.positions}
    unit_of = {position: id(unit) for unit in arrange(given_rows) for position in unit.positions}
    for name in "abcd":
        own = [r.position for r in given_rows if r.aggregate == name]
        for earlier, later in pairwise(own):
            assert wave[earlier] < wave[later] or (
                wave[earlier] == wave[later] and unit_of[earlier] is not None and _together(given_rows, earlier, later)
            )


def _together(given_rows: list[Row], earlier: int, later: int) -> bool:
    return any({earlier, later} <= set(unit.positions) for unit in arrange(given_rows))


def test_the_id_of_a_merged_message_follows_from_its_rows():
    made = [row(1), row(2)]
    first, again = Unit(0, made), Unit(3, made)
    assert first.batch_id == again.batch_id != Unit(0, [row(1), row(2)]).batch_id


def test_rows_merged_before_are_merged_with_each_other_only():
    batch = uuid4()
    units = arrange([row(1, batch_id=batch), row(2), row(3, batch_id=batch, aggregate="b")])
    assert [unit.positions for unit in units] == [[1, 3], [2]]
    assert units[0].batch_id == batch


def test_a_merged_body_has_all_items_in_order():
    unit = Unit(0, [row(1, items=2), row(2, items=1)])
    (parcel,) = parcels_of(unit, source="x")
    assert json.loads(parcel.body) == {"items": ["1.0", "1.1", "2.0"]}
    assert parcel.message_id == str(unit.batch_id)
