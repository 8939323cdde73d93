"""Rows, digests and differences."""

from hypothesis import given
from hypothesis import strategies as st

from content.versions.models import Live, define, difference, make_row, new_guid

values = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3), lambda inner: st.lists(
    inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3), max_leaves=6)  # fmt: skip
settings = st.dictionaries(st.text(max_size=3), values, max_size=3)


@given(settings, settings)
def test_rows_have_equal_digests_exactly_when_they_say_the_same(one, other):
    first, second = make_row("html@a", "html", settings=one), make_row("html@a", "html", settings=other)
    assert (first.digest == second.digest) == (first.settings == second.settings)


def test_every_part_of_a_row_is_in_its_digest():
    rows = [
        make_row("html@a", "html"),
        make_row("html@a", "video"),
        make_row("html@a", "html", parent="vertical@v"),
        make_row("html@a", "html", definition=define("html", {"data": "x"})),
        make_row("html@a", "html", settings={"a": 1}),
        make_row("html@a", "html", children=["a", "b"]),
        make_row("html@a", "html", children=["b", "a"]),
        make_row("html@a", "html", extra={"xml_attributes": {"a": "1"}}),
    ]
    assert len({row.digest for row in rows}) == len(rows)


def test_equal_content_has_one_definition_whatever_the_order_of_its_fields():
    assert define("html", {"a": 1, "b": 2}) == define("html", {"b": 2, "a": 1})
    assert define("html", {"a": 1}) != define("problem", {"a": 1})
    assert define("html", {}) is None


def test_a_difference_names_what_is_new_changed_and_gone():
    rows = {name: make_row(name, "html") for name in ("html@same", "html@new", "html@changed")}
    live = {"html@same": Live(rows["html@same"].digest, 1), "html@changed": Live(b"x", 1), "html@gone": Live(b"y", 1)}
    change = difference(rows, live)
    assert {row.block_id for row in change.put} == {"html@new", "html@changed"}
    assert (change.gone, change.added, change.changed) == (("html@gone",), 1, 1)
    assert not difference({}, {})


def test_guids_differ_and_have_twelve_bytes():
    guids = {new_guid() for _ in range(1000)}
    assert len(guids) == 1000
    assert {len(guid) for guid in guids} == {12}
