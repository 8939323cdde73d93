"""Changing an existing enrollment: who may change what, and what a plain learner's request does instead."""

import pytest

from common.testing.identity import a_caller

OPEN, CLOSED, FULL, EXPIRED = (f"course-v1:Org+{name}+1" for name in ("Open", "Closed", "Full", "Expired"))
PAST = "2020-01-01T00:00:00Z"
ALICE, STAFF = a_caller("alice"), a_caller("root", staff=True)
SERVER = a_caller(None, api_key=True)
ACTIVE, INACTIVE = ("audit", True), ("audit", False)


@pytest.fixture(autouse=True)
async def courses(world):
    await world.account("alice")
    await world.account("root", is_staff=True)
    await world.course(OPEN)
    await world.course(CLOSED, enrollment_end=PAST)
    await world.course(FULL, max_enrollments=1)
    modes = [{"slug": "audit", "name": "A"}, {"slug": "verified", "name": "V", "expiration_datetime": PAST}]
    await world.course(EXPIRED, modes=[*modes, {"slug": "credit", "name": "C"}])
    return world


MATRIX = [
    # before, who, fields, after
    (ACTIVE, ALICE, {}, ACTIVE),
    (ACTIVE, ALICE, {"is_active": False}, ACTIVE),
    (ACTIVE, ALICE, {"mode": "honor"}, ACTIVE),
    (INACTIVE, ALICE, {}, ACTIVE),
    (INACTIVE, ALICE, {"mode": "honor"}, ("honor", True)),
    (INACTIVE, ALICE, {"is_active": False}, INACTIVE),
    (("verified", False), ALICE, {}, ACTIVE),
    *[
        row
        for who in (STAFF, SERVER)
        for row in (
            (ACTIVE, who, {}, ACTIVE),
            (ACTIVE, who, {"is_active": True}, ACTIVE),
            (ACTIVE, who, {"mode": "audit"}, ACTIVE),
            (ACTIVE, who, {"is_active": False}, INACTIVE),
            (ACTIVE, who, {"is_active": False, "mode": "audit"}, INACTIVE),
            (ACTIVE, who, {"mode": "verified"}, ("verified", True)),
            (("verified", True), who, {"mode": "audit"}, ACTIVE),
            (("verified", True), who, {"mode": "honor", "is_active": True}, ("honor", True)),
            (INACTIVE, who, {}, ACTIVE),
            (INACTIVE, who, {"is_active": True}, ACTIVE),
            (INACTIVE, who, {"mode": "verified"}, ("verified", False)),
            (INACTIVE, who, {"mode": "verified", "is_active": True}, ("verified", True)),
            (INACTIVE, who, {"mode": "verified", "is_active": False}, ("verified", False)),
            (("verified", False), who, {"is_active": True}, ("verified", True)),
            (("verified", False), who, {}, ACTIVE),
        )
    ],
]


@pytest.mark.parametrize(("before", "caller", "fields", "after"), MATRIX)
async def test_update_matrix(client, world, before, caller, fields, after):
    await world.enrolled("alice", OPEN, before[0], is_active=before[1])
    answer = await client.enroll(caller, user="alice", **fields)
    assert answer.status_code == 200
    assert (answer.json()["mode"], answer.json()["is_active"]) == after
    assert await world.state("alice") == after
    expected = [] if before == after else [(after[0], after[1], 2)]
    changes = [event["changes"][0] for event in await world.announced()]
    assert [(change["mode"], change["is_active"], change["version"]) for change in changes] == expected
    assert len(await world.history()) == len(expected)


async def test_deactivating_in_another_mode_is_refused_and_changes_nothing(client, world):
    await world.enrolled("alice")
    for who in (STAFF, SERVER):
        answer = await client.enroll(who, user="alice", mode="verified", is_active=False)
        assert answer.status_code == 400
        assert answer.json() == {
            "message": "Enrollment mode mismatch: active mode=audit, requested mode=verified. Won't deactivate.",
            "error_code": "mode_mismatch",
        }
    assert await world.state("alice") == ACTIVE


async def test_neither_window_nor_capacity_is_looked_at_in_an_update(client, world):
    for course in (CLOSED, FULL):
        await world.enrolled("alice", course, is_active=False)
    await world.account("bob")
    assert (await client.enroll(a_caller("bob"), FULL)).status_code == 200
    for course in (CLOSED, FULL):
        assert (await client.enroll(STAFF, course, user="alice", is_active=True)).status_code == 200
    assert await world.taken(FULL) == 2


async def test_a_plain_reactivation_looks_at_both_again(client, world):
    for course, code in ((CLOSED, "enrollment_closed"), (FULL, "course_full")):
        await world.enrolled("alice", course, is_active=False)
        if course == FULL:
            await world.account("bob")
            await client.enroll(a_caller("bob"), FULL)
        assert (await client.enroll(ALICE, course)).json()["error_code"] == code


async def test_a_repeated_post_in_a_closed_or_full_course_is_refused(client, world):
    for course, code in ((CLOSED, "enrollment_closed"), (FULL, "course_full")):
        await world.enrolled("alice", course)
        answer = await client.enroll(ALICE, course)
        assert (answer.status_code, answer.json()["error_code"]) == (400, code)


async def test_seats_follow_activation(client, world):
    await client.enroll(ALICE, FULL)
    assert await world.taken(FULL) == 1
    await client.enroll(STAFF, FULL, user="alice", is_active=False)
    assert await world.taken(FULL) == 0
    await client.enroll(STAFF, FULL, user="alice", mode="verified")
    assert await world.taken(FULL) == 0
    await client.enroll(ALICE, FULL)
    assert await world.taken(FULL) == 1


@pytest.mark.parametrize(
    ("caller", "fields", "status"),
    [
        (STAFF, {"mode": "verified"}, 400),
        (SERVER, {"mode": "verified"}, 200),
        (STAFF, {"mode": "nope"}, 400),
        (STAFF, {"mode": "audit", "is_active": False}, 200),
    ],
)
async def test_expired_modes_are_open_to_servers_and_to_deactivation(client, world, caller, fields, status):
    await world.enrolled("alice", EXPIRED)
    answer = await client.enroll(caller, EXPIRED, user="alice", **fields)
    assert answer.status_code == status
    if status == 400:
        assert answer.json()["error_code"] == "mode_unavailable"
        assert [mode["slug"] for mode in answer.json()["course_details"]["course_modes"]] == ["audit", "credit"]


async def test_credit_needs_its_provider_when_attributes_are_sent(client, world):
    await world.enrolled("alice", EXPIRED)
    other = [{"namespace": "a", "name": "b", "value": "c"}]
    provider = [{"namespace": "credit", "name": "provider_id", "value": "x"}]
    answer = await client.enroll(STAFF, EXPIRED, user="alice", mode="credit", enrollment_attributes=other)
    assert answer.status_code == 400
    assert answer.json()["message"] == (
        "Missing enrollment attributes: requested mode=credit required attributes=['credit:provider_id']"
    )
    assert await world.state("alice", EXPIRED) == ACTIVE
    answer = await client.enroll(STAFF, EXPIRED, user="alice", mode="credit", enrollment_attributes=provider)
    assert answer.status_code == 200
    assert await world.attributes_of("alice") == {"credit:provider_id": "x"}


async def test_servers_leave_an_audit_line_whatever_came_of_it(client, world, capsys):
    import structlog

    with structlog.testing.capture_logs() as lines:
        await client.enroll(SERVER, user="alice", mode="verified")
        await client.enroll(SERVER, CLOSED, user="alice")
        await client.enroll(STAFF, user="alice", mode="audit")
        await client.enroll(SERVER, user="ghost")
        await client.enroll(SERVER, user="alice", is_active="x")
        await client.enroll(SERVER, user="alice", mode="audit", is_active=False)
    audits = [line for line in lines if line["event"] == "enrollment_change_requested"]
    assert [(a["course_id"], a["requested_mode"], a["actual_mode"], a["actual_activation"]) for a in audits] == [
        (OPEN, "verified", "verified", True),
        (CLOSED, None, None, None),
        (OPEN, None, "audit", True),
        (OPEN, "audit", "audit", False),
    ]
    assert {a["user_id"] for a in audits} == {ALICE.user_id}
