"""Cohorts by HTTP: upstream's shapes and codes, and nobody in two, however many ask at once."""

import asyncio
from collections import Counter

import pytest

from common.testing.identity import a_caller

OPEN, OTHER = "course-v1:Org+Open+1", "course-v1:Org+Other+1"
STAFF, TEACHER, ALICE = a_caller("root", staff=True), a_caller("teacher"), a_caller("alice")


@pytest.fixture
def call(client):
    async def _call(method, path="", body=None, caller=TEACHER, course=OPEN):
        return await client.send(method, f"../../cohorts/v1/courses/{course}/cohorts/{path}", caller, json=body)

    return _call


@pytest.fixture
async def course(world):
    await world.account("alice", "bob", "carol", "teacher")
    await world.course(OPEN)
    await world.course(OTHER)
    await world.team(OPEN, "teacher")
    return world


async def made(call, name, **fields):
    answer = await call("POST", body={"name": name, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


async def test_cohorts_are_made_listed_shown_and_changed(call, course):
    red = await made(call, "red")
    blue = await made(call, "blue", assignment_type="random", group_id=3, user_partition_id=7)
    shown = {"name": "red", "id": red, "user_count": 0, "assignment_type": "manual"}
    listed = (await call("GET")).json()
    assert [one["name"] for one in listed] == ["blue", "red"]
    assert listed[1] == {**shown, "user_partition_id": None, "group_id": None}
    assert listed[0]["group_id"] == 3
    assert [one["name"] for one in (await call("GET", "?ordering=desc&page_size=1")).json()] == ["red"]
    assert (await call("GET", str(red))).json()["name"] == "red"
    changed = await call("PATCH", str(red), {"name": "crimson"})
    assert (changed.status_code, changed.content) == (204, b"")
    assert (await call("PATCH", str(blue), {"group_id": None})).status_code == 204
    assert {one["name"]: one["group_id"] for one in (await call("GET")).json()} == {"blue": None, "crimson": None}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "", {}, 400, "missing-cohort-name"),
        ("POST", "", [], 400, "missing-cohort-name"),
        ("POST", "", {"name": ["a"]}, 400, "invalid-cohort-name"),
        ("POST", "", {"name": "x" * 256}, 400, "invalid-cohort-name"),
        ("POST", "", {"name": "red"}, 400, "cohort-name-exists"),
        ("POST", "", {"name": "a", "assignment_type": "odd"}, 400, "invalid-assignment-type"),
        ("POST", "", {"name": "a", "group_id": 1}, 400, "missing-user-partition-id"),
        ("POST", "", {"name": "a", "group_id": 2**40, "user_partition_id": 1}, 400, "invalid-group-id"),
        ("POST", "{red}", {"name": "a"}, 405, "wrong-endpoint"),
        ("PATCH", "", {"name": "a"}, 405, "missing-cohort-id"),
        ("PATCH", "{red}", {}, 400, "missing-fields"),
        ("PATCH", "{red}", {"name": "green"}, 400, "cohort-name-exists"),
        ("PATCH", "999", {"name": "a"}, 404, "cohort-not-found"),
        ("GET", "999", None, 404, "cohort-not-found"),
        ("GET", "99999999999999999999999", None, 404, "cohort-not-found"),
        ("GET", "?ordering=odd", None, 400, "invalid-ordering-value"),
        ("POST", "{red}/users/", {}, 400, "missing-users"),
        ("POST", "{red}/users/", {"users": {"a": 1}}, 400, "missing-users"),
        ("POST", "{red}/users/", {"users": ["a"] * 10_001}, 400, "too-many-users"),
        ("POST", "999/users/alice", None, 404, "cohort-not-found"),
        ("DELETE", "{red}/users/", None, 405, "missing-username"),
        ("DELETE", "{red}/users/ghost", None, 404, "user-not-found"),
        ("DELETE", "{red}/users/a%00b", None, 404, "user-not-found"),
        ("DELETE", "{red}/users/alice", None, 400, "user-not-in-cohort"),
        ("GET", "{red}/users/?page=7", None, 404, "not_found"),
        ("GET", "abc", None, 404, "not_found"),
    ],
)
async def test_refusals(call, course, method, path, body, status, code):
    ids = {name: await made(call, name) for name in ("red", "green")}
    answer = await call(method, path.format(**ids), body)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code), answer.text
    assert answer.json()["developer_message"]
    assert len((await call("GET")).json()) == 2


@pytest.mark.parametrize(
    ("caller", "course_id", "status"),
    [(None, OPEN, 401), (ALICE, OPEN, 403), (TEACHER, OTHER, 403), (STAFF, OTHER, 200), (STAFF, "nope", 404),
     (STAFF, "course-v1:No+Such+Run", 404), (TEACHER, "Org/Open/1", 200)],
)  # fmt: skip
async def test_who_may(call, course, caller, course_id, status):
    assert (await call("GET", caller=caller, course=course_id)).status_code == status


async def test_each_name_is_told_what_became_of_it(call, course):
    red, blue = await made(call, "red"), await made(call, "blue")
    await call("POST", f"{blue}/users/bob")
    answer = await call(
        "POST",
        f"{red}/users/",
        {"users": ["alice", "bob@example.com", "alice", "ghost", "new@example.com", "bad@", 7, ""]},
    )
    assert answer.json() == {
        "success": True,
        "added": [{"username": "alice", "email": "alice@example.com"}],
        "changed": [{"username": "bob", "email": "bob@example.com", "previous_cohort": "blue"}],
        "present": ["alice"],
        "unknown": ["ghost"],
        "preassigned": ["new@example.com"],
        "invalid": ["bad@", "7"],
    }
    page = (await call("GET", f"{red}/users/?page_size=1")).json()
    assert (page["count"], page["num_pages"], page["start"], len(page["results"])) == (2, 2, 0, 1)
    assert set(page["results"][0]) == {"username", "email", "name"}
    assert page["next"].endswith(f"/cohorts/{red}/users/?page_size=1&page=2")
    await course.account("new")
    assert await course.cohort_of("new") == "red"
    assert (await call("DELETE", f"{red}/users/alice")).status_code == 204
    assert await course.cohort_of("alice") is None


async def test_a_name_that_nobody_can_have_is_unknown(call, course):
    red = await made(call, "red")
    for name in ("a%00b", "%E2%80%AEalice", "a%FF"):
        answer = await call("POST", f"{red}/users/{name}")
        assert answer.status_code == 200
        assert len(answer.json()["unknown"]) == 1
        assert (await call("GET", f"{red}/users/{name}")).json()["results"] == []


async def test_nobody_is_ever_in_two_cohorts(call, client, course):
    ids = [await made(call, name) for name in ("red", "blue", "green")]
    names = ["alice", "bob", "carol"]
    calls = [call("POST", f"{ids[turn % 3]}/users/", {"users": names[:: (-1) ** turn]}) for turn in range(12)]
    posts = [client.enroll(a_caller(name), cohort=("red", "blue")[turn % 2]) for turn in range(4) for name in names]
    answers = await asyncio.gather(*calls, *posts)
    assert Counter(answer.status_code for answer in answers) == {200: 24}
    rows = await course.db.fetch("select user_id, count(*) from cohort_membership group by 1")
    assert [row["count"] for row in rows] == [1, 1, 1]
    counts = [(await call("GET", str(each))).json()["user_count"] for each in ids]
    assert sum(counts) == 3


async def test_the_same_cohort_made_by_many_at_once(call, course):
    answers = await asyncio.gather(*(call("POST", body={"name": "red"}) for _ in range(8)))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 400: 7}
