"""Course teams over HTTP."""

import pytest

from common.testing.identity import a_caller

ADMIN = a_caller("admin", staff=True)
STAFF = {"role": "staff"}
BOB = a_caller("bob")
TEAM = "/api/content/v1/course_team/course-v1:Org+Demo+1"


async def test_a_member_is_put_changed_and_taken_away_and_each_change_is_announced(client, bus, demo):
    await bus.account(BOB)
    answer = await client.request("PUT", f"{TEAM}/bob", ADMIN, json={"role": "staff"})
    assert (answer.status_code, answer.json()) == (200, {"username": "bob", "user_id": BOB.user_id, "role": "staff"})
    await client.request("PUT", f"{TEAM}/bob/", ADMIN, json={"role": "instructor"})
    await client.request("PUT", f"{TEAM}/bob", ADMIN, json={"role": "instructor"})
    members = (await client.get(TEAM, BOB)).json()["members"]
    assert {member["username"]: member["role"] for member in members} == {"bob": "instructor", "robot": "instructor"}
    assert (await client.get(f"{TEAM}/bob", BOB)).json()["role"] == "instructor"
    answer = await client.request("DELETE", f"{TEAM}/bob", ADMIN)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await client.request("DELETE", f"{TEAM}/bob", ADMIN)).status_code == 404
    said = await bus.announced("content.course_team.changed.v1")
    assert [event["version"] for event in said] == [1, 2, 3, 4]
    assert [m for m in said[-1]["members"] if m["username"] == "bob"] == [
        {"user_id": BOB.user_id, "username": "bob", "role": "instructor", "version": 4, "removed": True}
    ]


async def test_a_role_gives_its_rights_while_the_account_is_active(client, bus, demo):
    await bus.account(BOB)
    await client.request("PUT", f"{TEAM}/bob", ADMIN, json={"role": "staff"})
    assert (await client.get("/assets/course-v1:Org+Demo+1", BOB)).status_code == 200
    assert (await client.get("/assets/course-v1:Org+Demo+1", a_caller("bob", active=False))).status_code == 403


@pytest.mark.parametrize(
    ("method", "caller", "path", "body", "status", "code"),
    [
        ("PUT", a_caller(None), f"{TEAM}/bob", {"role": "staff"}, 401, "not_authenticated"),
        ("PUT", BOB, f"{TEAM}/bob", {"role": "staff"}, 403, "instructor_required"),
        ("PUT", a_caller("x", org_roles=(("Org", "staff"),)), f"{TEAM}/bob", STAFF, 403, "instructor_required"),
        ("PUT", a_caller("x", org_roles=(("Org", "instructor"),)), f"{TEAM}/bob", STAFF, 200, None),
        ("PUT", ADMIN, f"{TEAM}/nobody", {"role": "staff"}, 404, "user_not_found"),
        ("PUT", ADMIN, f"{TEAM}/bob", {"role": "king"}, 400, "invalid"),
        ("PUT", ADMIN, TEAM.replace("Demo", "None") + "/bob", STAFF, 404, "course_not_found"),
        ("PUT", ADMIN, TEAM, {"role": "staff"}, 404, "user_not_found"),
        ("GET", BOB, TEAM, None, 403, "user_permissions"),
        ("GET", a_caller(None), TEAM, None, 401, "not_authenticated"),
        ("GET", ADMIN, "/api/content/v1/course_team/Org/Demo/1", None, 200, None),
        ("GET", ADMIN, "/api/content/v1/course_team/%00", None, 404, "course_not_found"),
        ("GET", ADMIN, "/api/content/v1/course_team/Org.Demo.1", None, 200, None),
        ("GET", ADMIN, "/api/content/v1/course_team/Org.Demo.1/robot", None, 200, None),
        ("GET", ADMIN, "/api/content/v1/course_team/Org.Nothing.1", None, 404, "course_not_found"),
        ("DELETE", BOB, f"{TEAM}/robot", None, 403, "instructor_required"),
    ],
)  # fmt: skip
async def test_who_may_manage_a_team(client, bus, demo, method, caller, path, body, status, code):
    await bus.account(BOB)
    answer = await client.request(method, path, caller, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json().get("error_code") == code


async def test_a_course_staff_member_reads_the_team_and_may_not_change_it(client, bus, demo):
    await bus.account(BOB)
    await client.request("PUT", f"{TEAM}/bob", ADMIN, json={"role": "staff"})
    assert (await client.get(TEAM, BOB)).status_code == 200
    assert (await client.request("PUT", f"{TEAM}/bob", BOB, json={"role": "instructor"})).status_code == 403


async def test_the_last_instructor_stays_unless_global_staff_decide_otherwise(client, bus, demo):
    robot = a_caller("robot")
    await bus.account(BOB, robot)
    for method, body in (("DELETE", None), ("PUT", STAFF)):
        answer = await client.request(method, f"{TEAM}/robot", robot, json=body)
        assert (answer.status_code, answer.json()["error_code"]) == (409, "last_instructor")
    assert (await client.request("PUT", f"{TEAM}/bob", robot, json={"role": "instructor"})).status_code == 200
    assert (await client.request("DELETE", f"{TEAM}/robot", robot)).status_code == 204
    assert (await client.request("DELETE", f"{TEAM}/bob", ADMIN)).status_code == 204
    assert (await client.get(TEAM, ADMIN)).json()["members"] == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"{TEAM}/%00", STAFF, 404),
        (f"{TEAM}/{'x' * 5000}", STAFF, 404),
        (f"{TEAM}/bob", {}, 400),
        (f"{TEAM}/bob", {"role": None}, 400),
        (f"{TEAM}/bob", {"role": ["staff"]}, 400),
        (f"{TEAM}/bob", {"role": "staff", "more": 1}, 400),
        (f"{TEAM}/bob", [], 400),
        ("/api/content/v1/course_team/%00/bob", STAFF, 404),
        ("/api/content/v1/course_team/%00", STAFF, 404),
    ],
)
async def test_bad_changes_of_a_team_are_refused_and_change_nothing(client, bus, demo, path, body, status):
    await bus.account(BOB)
    before = await bus.announced()
    answer = await client.request("PUT", path, ADMIN, json=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert await bus.announced() == before
