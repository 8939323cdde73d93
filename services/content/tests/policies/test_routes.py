"""Access policies over HTTP: set by the team, felt by everybody else, and never wider than what is above."""

from dataclasses import replace

import pytest

from common.testing.identity import a_caller

COURSE = "course-v1:Org+Demo+1"
UNIT = "block-v1:Org+Demo+1+type@vertical+block@u1"
INTRO = "block-v1:Org+Demo+1+type@html+block@intro"
ACCESS = f"/api/content/v1/access/{COURSE}"
STAFF = a_caller("staff", staff=True)
AUTHOR = a_caller("author")
LEARNER = a_caller("learner")
DORA = a_caller("dora", email="dora@example.edu")
ANN = a_caller("ann")
GRADER = replace(a_caller("grader"), application="grader")
NOBODY = a_caller(None)
PUBLIC = {"audiences": [{"kind": "public"}]}
DOMAIN = {"audiences": [{"kind": "domains", "domains": ["example.edu"]}]}
ENROLLED = {"audiences": [{"kind": "enrolled"}]}


@pytest.fixture
async def course(demo, bus, client):
    await bus.account(AUTHOR, LEARNER, DORA, ANN)
    await bus.enroll(LEARNER)
    answer = await client.request("PUT", f"/api/content/v1/course_team/{COURSE}/author", STAFF, json={"role": "staff"})
    assert answer.status_code == 200, answer.text
    return demo


async def reading(client, caller, url=f"/xblock/{INTRO}"):
    return (await client.get(url, caller)).status_code


@pytest.mark.parametrize(
    ("policy", "open_to"),
    [
        (None, {"learner"}),
        (PUBLIC, {"nobody", "ann", "dora", "learner", "grader"}),
        ({"audiences": [{"kind": "authenticated"}]}, {"ann", "dora", "learner", "grader"}),
        (DOMAIN, {"dora"}),
        ({"audiences": [{"kind": "users", "usernames": ["ann"]}]}, {"ann", "learner"}),
        ({"audiences": [{"kind": "applications", "applications": ["grader"]}]}, {"grader"}),
        ({**PUBLIC, "ends": "2020-01-01T00:00:00Z"}, set()),
    ],
)
async def test_a_course_wide_policy_stands_in_place_of_enrollment(client, course, policy, open_to):
    changed = await client.request("PATCH", ACCESS, AUTHOR, json={"blocks": policy})
    assert changed.status_code == 200, changed.text
    callers = {"nobody": NOBODY, "ann": ANN, "dora": DORA, "learner": LEARNER, "grader": GRADER}
    found = {name for name, caller in callers.items() if await reading(client, caller) == 200}
    assert found == open_to
    blocks = "/api/courses/v2/blocks/?course_id=course-v1%3AOrg%2BDemo%2B1&depth=all&username="
    named = {
        name for name, caller in callers.items()
        if (await client.get(blocks + (caller.username or ""), caller)).status_code == 200
    }  # fmt: skip
    assert named == open_to
    for caller in (AUTHOR, STAFF):
        assert await reading(client, caller) == 200


async def test_a_block_is_never_more_open_than_what_is_above_it(client, course):
    await client.request("PUT", f"/api/content/v1/access/{INTRO}", AUTHOR, json=PUBLIC)
    assert await reading(client, ANN) == 403
    await client.request("PATCH", ACCESS, AUTHOR, json={"blocks": PUBLIC})
    assert await reading(client, ANN) == 200
    await client.request("PUT", f"/api/content/v1/access/{UNIT}", AUTHOR, json=DOMAIN)
    assert [await reading(client, caller) for caller in (ANN, LEARNER, DORA, AUTHOR)] == [404, 404, 200, 200]
    seen = (await client.get(f"/api/content/v1/access/{INTRO}", AUTHOR)).json()
    assert list(seen["above"]) == [UNIT]
    assert (await client.request("DELETE", f"/api/content/v1/access/{UNIT}", AUTHOR)).status_code == 204
    assert await reading(client, ANN) == 200


async def test_v1_of_the_blocks_api_names_what_a_policy_keeps_closed_and_v2_leaves_it_out(client, course):
    await client.request("PUT", f"/api/content/v1/access/{UNIT}", AUTHOR, json=DOMAIN)
    query = "?course_id=course-v1%3AOrg%2BDemo%2B1&depth=all&username=learner&requested_fields=children,graded,due"
    first = (await client.get(f"/api/courses/v1/blocks/{query}", LEARNER)).json()["blocks"]
    second = (await client.get(f"/api/courses/v2/blocks/{query}", LEARNER)).json()["blocks"]
    assert set(first) - set(second) == {UNIT}
    assert INTRO not in first
    closed = first[UNIT]
    assert closed["authorization_denial_reason"]
    assert closed["authorization_denial_message"]
    assert set(closed) == {
        "id", "block_id", "type", "display_name", "lms_web_url", "student_view_url", "graded",
        "authorization_denial_reason", "authorization_denial_message",
    }  # fmt: skip


async def test_the_description_of_a_course_is_open_until_its_team_says_otherwise(client, course):
    page = f"/course/{COURSE}"
    assert [await reading(client, caller, page) for caller in (NOBODY, ANN, DORA)] == [200, 200, 200]
    await client.request("PATCH", ACCESS, AUTHOR, json={"info": DOMAIN})
    assert [await reading(client, caller, page) for caller in (NOBODY, ANN, LEARNER, DORA, AUTHOR)] == [
        401, 403, 403, 200, 200,
    ]  # fmt: skip
    for caller, listed in ((NOBODY, 0), (ANN, 0), (DORA, 1), (AUTHOR, 1), (STAFF, 1)):
        assert len((await client.get("/course", caller)).json()) == listed
    refusal = (await client.get(page, ANN)).json()
    assert refusal["error_code"] == "access_policy"
    await client.request("PATCH", ACCESS, AUTHOR, json={"info": None})
    assert await reading(client, ANN, page) == 200


async def test_an_unlock_key_opens_until_it_is_taken_back(client, course):
    await client.request("PATCH", ACCESS, AUTHOR, json={"blocks": {"audiences": [{"kind": "unlock_key"}]}})
    keys, unlock = f"/api/content/v1/unlock_keys/{COURSE}", f"/api/content/v1/unlock/{COURSE}"
    made = await client.post(keys, AUTHOR)
    assert made.status_code == 201
    assert (await client.post(unlock, NOBODY, json={"key": made.json()["key"]})).status_code == 401
    wrong = await client.post(unlock, ANN, json={"key": "guess"})
    assert (wrong.status_code, wrong.json()["error_code"]) == (403, "wrong_unlock_key")
    assert await reading(client, ANN) == 403
    for _ in range(2):
        shown = await client.post(unlock, ANN, json={"key": made.json()["key"]})
        assert (shown.status_code, shown.json()) == (200, {"course_id": COURSE, "unlocked": True})
    assert await reading(client, ANN) == 200
    (listed,) = (await client.get(keys, AUTHOR)).json()
    assert (listed["unlocked"], listed["key"], listed["created_by"]) == (1, None, "author")
    assert (await client.request("DELETE", f"{keys}/{listed['id']}", AUTHOR)).status_code == 204
    assert await reading(client, ANN) == 403
    assert (await client.request("DELETE", f"{keys}/{listed['id']}", AUTHOR)).status_code == 404


@pytest.mark.parametrize(
    ("caller", "info", "blocks"),
    [
        (NOBODY, 401, 401),
        (ANN, 403, 403),
        (LEARNER, 403, 403),
        (AUTHOR, 200, 200),
        (STAFF, 200, 200),
        (a_caller("delegate", grants=("Org",)), 200, 403),
        (a_caller("narrow", grants=("Org.Demo",)), 200, 403),
        (a_caller("foreign", grants=("Other",)), 403, 403),
        (a_caller("orgstaff", org_roles=(("Org", "staff"),)), 200, 200),
        (replace(AUTHOR, is_active=False), 403, 403),
    ],
)
async def test_who_decides(client, course, caller, info, blocks):
    answers = [
        (await client.request("PATCH", ACCESS, caller, json={scope: PUBLIC})).status_code
        for scope in ("info", "blocks")
    ]
    assert answers == [info, blocks]
    put = await client.request("PUT", f"/api/content/v1/access/{INTRO}", caller, json=PUBLIC)
    assert put.status_code == blocks
    assert (await client.get(ACCESS, STAFF)).json()["info"] == (
        {"audiences": [{"kind": "public"}], "starts": None, "ends": None} if info == 200 else None
    )


@pytest.mark.parametrize(
    ("method", "url", "body", "status"),
    [
        ("PATCH", ACCESS, {"blocks": {"audiences": []}}, 400),
        ("PATCH", ACCESS, {"everything": PUBLIC}, 400),
        ("PATCH", ACCESS, {"info": "public"}, 400),
        ("PATCH", "/api/content/v1/access/course-v1:No+Such+1", {"info": PUBLIC}, 404),
        ("PATCH", "/api/content/v1/access/nonsense", {"info": PUBLIC}, 404),
        ("PUT", "/api/content/v1/access/block-v1:Org+Demo+1+type@html+block@none", PUBLIC, 404),
        ("PUT", ACCESS, PUBLIC, 404),
        ("DELETE", f"/api/content/v1/access/{UNIT}", None, 404),
        ("DELETE", f"/api/content/v1/unlock_keys/{COURSE}/x", None, 404),
        ("DELETE", f"/api/content/v1/unlock_keys/{COURSE}/99999999999999999999", None, 404),
        ("POST", f"/api/content/v1/unlock/{COURSE}", {"key": ""}, 400),
        ("POST", f"/api/content/v1/unlock/{COURSE}", {}, 400),
    ],
)
async def test_bad_input_is_named_and_changes_nothing(client, course, method, url, body, status):
    answer = await client.request(method, url, AUTHOR, json=body)
    assert answer.status_code == status, answer.text
    assert isinstance(answer.json()["detail"], str)
    assert (await client.get(ACCESS, AUTHOR)).json() == {
        "course_id": COURSE, "info": None, "blocks": None, "overrides": {},
    }  # fmt: skip
