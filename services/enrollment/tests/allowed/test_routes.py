"""The allowed list by HTTP: upstream's statuses and texts, and an announcement of each change."""

import pytest

from common.testing.identity import a_caller

OPEN, LATER = "course-v1:Org+Open+1", "course-v1:Org+Later+1"
STAFF, ALICE, SERVER = a_caller("root", staff=True), a_caller("alice"), a_caller(None, api_key=True)
ALLOWED = "enrollment.allowed.changed.v1"
MISSING = "Please provide a value for 'email' and 'course_id' in the request data."


def entry(email="New@example.com", course=OPEN, **fields):
    return {"email": email, "course_id": course, **fields}


@pytest.fixture
def call(client):
    async def _call(method, body=None, caller=STAFF, **options):
        return await client.send(method, "enrollment_allowed/", caller, json=body, **options)

    return _call


async def test_an_entry_comes_is_listed_and_goes(call, client, world):
    answer = await call("POST", entry(auto_enroll=True))
    assert answer.status_code == 201
    made = answer.json()
    assert made["created"].endswith("Z")
    assert made == {**entry(auto_enroll=True), "created": made["created"], "user": None}
    listed = await client.send("GET", "enrollment_allowed/?email=new@EXAMPLE.com", STAFF)
    assert listed.json() == [made]
    assert (await call("GET")).json() == []  # the caller's own
    again = await call("POST", entry())
    assert again.status_code == 409
    assert again.json() == {
        "message": f"An enrollment allowed with email New@example.com and course {OPEN} already exists.",
        "error_code": "already_allowed",
    }
    gone = await call("DELETE", entry())
    assert (gone.status_code, gone.content) == (204, b"")
    missing = await call("DELETE", entry())
    assert missing.status_code == 404
    assert missing.json() == {
        "message": f"An enrollment allowed with email New@example.com and course {OPEN} doesn't exists.",
        "error_code": "allowed_not_found",
    }


async def test_versions_go_on_when_an_entry_comes_back(call, world):
    for method in ("POST", "DELETE", "POST"):
        await call(method, entry())
    entries = [one for event in await world.announced(ALLOWED) for one in event["entries"]]
    assert [(one["version"], one["removed"]) for one in entries] == [(1, False), (2, True), (3, False)]
    assert {(one["email"], one["course_id"]) for one in entries} == {("new@example.com", OPEN)}


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "a@b.cd"},
        {"course_id": OPEN},
        {"email": "", "course_id": OPEN},
        {"email": " ", "course_id": OPEN},
        [],
        7,
    ],
)
async def test_both_fields_are_required(call, method, body):
    answer = await call(method, body)
    assert (answer.status_code, answer.json()["message"]) == (400, MISSING)


@pytest.mark.parametrize(
    "body",
    [
        entry(course="nope"),
        entry(email=7),
        entry(email=["a"]),
        entry(course={"a": 1}),
        entry(auto_enroll="perhaps"),
        entry(auto_enroll=2),
        entry(email="a" * 255),
        entry(course="course-v1:" + "a" * 300 + "+b+c"),
    ],
)
async def test_what_upstream_breaks_on_is_refused(call, world, body):
    answer = await call("POST", body)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "invalid_entry"
    assert await world.db.fetchval("select count(*) from enrollment_allowed") == 0


async def test_forms_are_read_too(call, world):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    answer = await call(
        "POST", content=b"email=f%40x.org&course_id=course-v1%3AOrg%2BOpen%2B1&auto_enroll=true", headers=headers
    )
    assert answer.status_code == 201
    assert answer.json()["auto_enroll"] is True


@pytest.mark.parametrize(("caller", "status"), [(None, 401), (SERVER, 401), (ALICE, 403)])
async def test_for_global_staff_only(call, caller, status):
    for method in ("GET", "POST", "DELETE"):
        answer = await call(method, {}, caller=caller)
        assert answer.status_code == status
        assert "detail" in answer.json()


async def test_an_entry_opens_the_course_until_it_is_taken_back(call, client, world):
    await world.account("alice")
    await world.course(OPEN, invitation_only=True)
    await call("POST", entry("alice@example.com"))
    await call("DELETE", entry("alice@example.com"))
    assert (await client.enroll(ALICE)).json()["error_code"] == "invitation_only"
    await call("POST", entry("alice@example.com"))
    assert (await client.enroll(ALICE)).status_code == 200
    [shown] = (await client.send("GET", "enrollment_allowed/?email=alice@example.com", STAFF)).json()
    assert shown["user"] == ALICE.user_id


async def test_auto_enroll_waits_for_the_account_to_be_active(call, world):
    await world.course(OPEN)
    await world.course(LATER)
    await call("POST", entry("alice@example.com", auto_enroll=True))
    await call("POST", entry("alice@example.com", LATER))
    await world.account("alice", is_active=False)
    assert await world.state("alice") is None
    await world.account("alice")
    assert await world.state("alice") == ("audit", True)
    assert await world.state("alice", LATER) is None
