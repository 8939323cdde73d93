"""What is read as a command, what is answered as a whole, and what is nobody's command at all."""

import json
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from enrollment.commands.schemas import Item, RefusedWhole, Unreadable, read_command
from enrollment.enrollments.models import Options

NOW = datetime(2026, 5, 1, tzinfo=UTC)
ITEM = {"username": "alice", "course_id": "course-v1:O+C+R"}


DEEP: list = []
for _ in range(400):
    DEEP = [DEEP]


def command(**fields):
    return {"command_id": "c-1", "requested_by": "importer", "items": [ITEM], **fields}


def read(body, kind="enroll"):
    # the standard library's: it prints as many levels as a publisher may send
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_command(content, kind, broker_user="erp", reply_to=None, received_at=NOW)


BAD_IDS = (None, "", 7, "x" * 256, "a\x00b")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", {}, *(command(command_id=bad) for bad in BAD_IDS)])
def test_without_a_readable_command_id_there_is_nobody_to_answer(body):
    with pytest.raises(Unreadable):
        read(body)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"items": [ITEM] * 501}, "too_many_items"),
        ({"items": []}, "malformed"),
        ({"items": None}, "malformed"),
        ({"items": {"0": ITEM}}, "malformed"),
        ({"requested_by": None}, "malformed"),
        ({"requested_by": ""}, "malformed"),
        ({"issued_at": "yesterday"}, "malformed"),
        ({"issued_at": 12}, "malformed"),
        ({"issued_at": "0001-01-01T00:00:00+23:59"}, "malformed"),
        ({"issued_at": "2026-02-30T00:00:00Z"}, "malformed"),
        ({"expires_at": "9999-12-31T23:59:59-23:59"}, "malformed"),
        ({"colour": DEEP}, "malformed"),
        ({"requested_by": {"name": DEEP}}, "malformed"),
        ({"items": [{**ITEM, "note": DEEP}]}, "malformed"),
        ({"expires_at": "soon"}, "malformed"),
        ({"options": {"ignore_windows": True}}, "malformed"),
        ({"options": {"ignore_window": "yes"}}, "malformed"),
        ({"options": []}, "malformed"),
        ({"reason": ["x"]}, "malformed"),
        ({"reason": "a\x00b"}, "malformed"),
    ],
)
def test_an_envelope_that_cannot_be_carried_out_is_refused_whole(fields, code):
    with pytest.raises(RefusedWhole) as refusal:
        read(command(**fields))
    assert (refusal.value.command_id, refusal.value.code) == ("c-1", code)
    assert refusal.value.message


def test_500_items_are_not_too_many():
    assert len(read(command(items=[ITEM] * 500)).items) == 500


@pytest.mark.parametrize(
    ("item", "part"),
    [
        ("alice", "dictionary"),
        (None, "dictionary"),
        ({"username": "alice"}, "course_id"),
        ({"course_id": "course-v1:O+C+R"}, "username, email or external_key"),
        ({"external_key": "x", "course_id": "course-v1:O+C+R"}, "username, email or external_key"),
        ({**ITEM, "is_active": "yes"}, "is_active"),
        ({**ITEM, "attributes": [{"namespace": "a", "name": "b"}]}, "attributes.0.value"),
        ({**ITEM, "attributes": "x"}, "attributes"),
        ({**ITEM, "username": "x" * 256}, "username"),
    ],
)
def test_an_unreadable_item_harms_no_neighbour(item, part):
    found = read(command(items=[ITEM, item, ITEM])).items
    assert isinstance(found[0], Item)
    assert isinstance(found[2], Item)
    assert part in found[1]


def test_unknown_fields_are_left_alone():
    found = read(command(colour="red", items=[{**ITEM, "note": "x", "attributes": None, "mode": None}]))
    assert found.items[0] == Item(username="alice", course_id="course-v1:O+C+R")


@pytest.mark.parametrize(
    ("requested_by", "actor"),
    [("importer", "importer"), ({"username": "ann", "user_id": 3}, "ann"), ({"system": "erp"}, '{"system":"erp"}')],
)
def test_who_asked_is_kept_as_text(requested_by, actor):
    assert read(command(requested_by=requested_by)).actor == actor


def test_the_layout_of_the_json_does_not_make_another_command():
    one = read(orjson.dumps(command()))
    same = read(orjson.dumps(command(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    assert one.digest == same.digest
    assert one.digest != read(command(reason="x")).digest
    assert one.digest != read(command(), kind="unenroll").digest


def test_issued_at_is_the_receipt_unless_said_and_never_far_ahead():
    assert read(command()).issued_at == NOW
    assert read(command(issued_at="2026-04-30T23:00:00Z")).issued_at == NOW - timedelta(hours=1)
    assert read(command(issued_at="2026-04-30T23:00:00")).issued_at == NOW - timedelta(hours=1)
    assert read(command(issued_at="2099-01-01T00:00:00Z")).issued_at == NOW + timedelta(minutes=5)


def test_options_are_off_unless_asked_for():
    assert read(command(options=None)).options == Options()
    assert read(command(options={"ignore_capacity": True})).options == Options(ignore_capacity=True)
