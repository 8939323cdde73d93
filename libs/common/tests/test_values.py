"""What can be stored, and what is told from it by a hair."""

from datetime import UTC, datetime

import pytest
from pydantic import BaseModel, ValidationError

from common.values import BigInt, Moment, Storable, has_nul


class Values(BaseModel):
    text: Storable = ""
    moment: Moment = datetime(2026, 1, 1, tzinfo=UTC)
    number: BigInt = 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("text", "a\0b"),
        ("moment", "0001-01-01T00:00:00+00:01"),
        ("moment", "9999-12-31T23:59:59.999999-00:01"),
        ("moment", "2026-01-01T00:00:00"),
        ("number", 2**63),
        ("number", -(2**63) - 1),
    ],
)
def test_what_cannot_be_stored_is_refused(field, value):
    with pytest.raises(ValidationError, match=field):
        Values.model_validate({field: value})


def test_the_last_that_can_be_stored_are_taken():
    taken = Values.model_validate({"text": "\x01", "moment": "0001-01-01T00:01:00+00:01", "number": 2**63 - 1})
    assert taken.moment == datetime(1, 1, 1, tzinfo=UTC)
    assert taken.moment.tzinfo is UTC
    assert Values.model_validate({"number": -(2**63)}).number == -(2**63)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (rb'"\u0000"', True),
        (rb'"a\\\u0000"', True),
        (rb'"\\u0000"', False),
        (rb'"\\\\u0000"', False),
        (rb'"\\u0000 \u0000"', True),
        (rb'"u0000"', False),
        (b"", False),
    ],
)
def test_a_text_about_nul_is_no_nul(text, found):
    assert has_nul(text) is found
