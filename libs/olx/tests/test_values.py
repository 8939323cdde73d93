"""Attribute texts and setting values, there and back."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from olx.values import Json, coerce, decode, encode, fits_attribute, load_json

NAMES = ["display_name", "graded", "max_attempts", "start", "unheard_of"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("display_name", "Week 1", "Week 1"),
        ("display_name", "5", "5"),
        ("display_name", "[1]", "[1]"),
        ("display_name", "null", None),
        ("display_name", '"null"', "null"),
        ("display_name", '"Quoted', '"Quoted'),
        ("start", '"2026-01-01T00:00:00Z"', "2026-01-01T00:00:00Z"),
        ("graded", "true", True),
        ("graded", "False", False),
        ("graded", "perhaps", "perhaps"),
        ("weight", "1.50", 1.5),
        ("weight", "3", 3),
        ("weight", "", None),
        ("weight", "much", "much"),
        ("odd", "true", True),
        ("odd", "True", "True"),
        ("odd", "7", 7),
        ("odd", "-0.5", -0.5),
        ("odd", "007", "007"),
        ("odd", "1.50", "1.50"),
        ("odd", "1e3", "1e3"),
        ("odd", "12345678901234567890123", "12345678901234567890123"),
        ("odd", '{"a": [1, null]}', {"a": [1, None]}),
        ("odd", "[12345678901234567890123]", "[12345678901234567890123]"),
        ("odd", '["\\u0000"]', '["\\u0000"]'),
        ("odd", '["\\ud800"]', '["\\ud800"]'),
        ("odd", "[NaN]", "[NaN]"),
        ("odd", "[1,]", "[1,]"),
        ("odd", "[" * 200 + "]" * 200, "[" * 200 + "]" * 200),
        ("odd", "", ""),
    ],
)
def test_texts_are_read_by_type_or_by_look(name: str, text: str, value: Json) -> None:
    assert decode(name, text) == value
    assert decode(name, encode(name, value)) == value


def test_policies_write_types_as_texts() -> None:
    assert coerce("graded", " True ") is True
    assert coerce("attempts", "10") == 10
    assert coerce("attempts", "") is None
    assert coerce("display_name", "10") == "10"
    assert coerce("graded", 3) == 3


json_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | json_texts
    | st.sampled_from(["5", "true", '"x"', "null", "[1]", "\x01", "\ufffe", " a", '"']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(json_texts, inner, max_size=3),
    max_leaves=8,
)


@given(name=st.sampled_from(NAMES), value=json_values)
def test_every_value_survives_being_written_or_is_known_not_to(name: str, value: Json) -> None:
    if fits_attribute(name, value):
        again = decode(name, encode(name, value))
        assert orjson.dumps(again, option=orjson.OPT_SORT_KEYS) == orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    else:
        assert not isinstance(value, str)


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("display_name", 5, False),
        ("display_name", [], False),
        ("odd", 1e300, False),
        ("odd", 1.0, True),
        ("odd", True, True),
    ],
)
def test_what_would_come_back_otherwise_is_no_attribute(name: str, value: Json, fits: bool) -> None:
    assert fits_attribute(name, value) is fits


@given(name=st.sampled_from(NAMES), text=st.text(max_size=20) | st.text('[]{}",:0123456789.eE-ntrufalse ', max_size=12))
def test_every_text_is_some_value(name: str, text: str) -> None:
    value = decode(name, text)
    if "\0" not in text:
        assert decode(name, encode(name, value)) == value


def test_depth_is_bounded() -> None:
    assert load_json("[" * 90 + "]" * 90) is not None
    assert load_json("[" * 100_000 + "]" * 100_000) is None
