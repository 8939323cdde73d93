"""Hooks over HTTP: who may keep them, and which pushes they believe."""

from urllib.parse import quote
from uuid import uuid4

import orjson
import pytest

from common.testing.identity import a_caller
from import_export.hooks.models import sign

COURSE = "course-v1:Org+Sample+2030"
URL = "https://token:hush@git.example.com/org/course.git"
SECRET = "a secret of our own making"
SHA = "5f" * 20
AUTHOR = a_caller("alice", user_id=7)
STRANGER = a_caller("mallory", user_id=8)


@pytest.fixture
async def hook(make_hook, add_course):
    await add_course()
    return await make_hook(URL)


async def test_a_hook_shows_its_secret_once_and_its_password_never(http, hook):
    assert hook["secret"] == SECRET
    assert hook["repository"] == "https://git.example.com/org/course.git"
    assert hook["receive_url"] == f"http://lectern.test/api/v1/hooks/{hook['id']}/push"
    (listed,) = (await http("GET", "/api/v1/hooks", AUTHOR, params={"course_id": COURSE})).json()
    read = (await http("GET", f"/api/v1/hooks/{hook['id']}", AUTHOR)).json()
    assert listed == read == hook | {"secret": None}
    assert "hush" not in orjson.dumps([hook, listed]).decode()


async def test_a_hook_is_changed_and_taken_away(http, hook):
    url = f"/api/v1/hooks/{hook['id']}"
    changed = await http("PATCH", url, AUTHOR, json={"branch": "live", "strict": True, "rotate_secret": True})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["branch"], changed.json()["strict"], changed.json()["links"]) == ("live", True, "refuse")
    assert len(changed.json()["secret"]) > 30
    assert (await http("DELETE", url, AUTHOR)).status_code == 204
    assert (await http("GET", url, AUTHOR)).status_code == 404


@pytest.mark.parametrize(("caller", "status"), [(None, 401), (STRANGER, 404), (AUTHOR, 200)])
async def test_a_hook_is_its_authors_business(http, hook, github, caller, status):
    url = f"/api/v1/hooks/{hook['id']}"
    push = (await http("POST", f"{url}/push", None, **github(SHA))).json()
    assert (await http("GET", url, caller)).status_code == status
    assert (await http("GET", f"{url}/pushes", caller)).status_code == status
    assert (await http("GET", f"{url}/pushes/{push['push_id']}", caller)).status_code == status
    assert (await http("PATCH", url, caller, json={})).status_code == status
    made = await http("POST", "/api/v1/hooks", caller, json={"course_id": COURSE, "repository": URL})
    assert made.status_code == {401: 401, 404: 403, 200: 201}[status]


async def test_a_hook_is_made_by_rights_that_last(http, hook):
    olga = a_caller("olga", user_id=9, org_roles=((COURSE.partition(":")[2].partition("+")[0], "staff"),))
    assert (await http("GET", f"/api/v1/hooks/{hook['id']}", olga)).status_code == 200
    made = await http("POST", "/api/v1/hooks", olga, json={"course_id": COURSE, "repository": URL})
    assert (made.status_code, made.json()["error_code"]) == (403, "user_permissions")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"repository": "file:///etc"}, None),
        ({"repository": "ssh://git@example.com/x.git"}, "bad_repository"),
        ({"repository": "git@example.com:x.git"}, "bad_repository"),
        ({"repository": "/srv/course.git"}, "bad_repository"),
        ({"repository": "https://"}, "bad_repository"),
        ({"repository": "https://[::1/x"}, "bad_repository"),
        ({"repository": "https://example.com:99999999/x"}, "bad_repository"),
        ({"repository": URL, "path": "../outside"}, "invalid"),
        ({"repository": URL, "branch": "a b"}, "invalid"),
        ({"repository": URL, "secret": "short"}, "invalid"),
        ({"repository": URL, "dry_run": True}, "invalid"),
        ({"repository": URL, "strict": "maybe"}, "invalid"),
        ({"repository": "https://example.com/\x00"}, "invalid"),
        ({}, "invalid"),
    ],
)
async def test_what_is_no_hook_is_refused(http, db, add_course, body, code):
    await add_course()
    answer = await http("POST", "/api/v1/hooks", json={"course_id": COURSE} | body)
    assert (answer.status_code, answer.json().get("error_code")) == ((400, code) if code else (201, None))
    assert await db.fetchval("select count(*) from hook") == (0 if code else 1)


async def test_a_push_begins_a_task_that_waits_for_its_commit(http, hook, github):
    answer = await http("POST", f"/api/v1/hooks/{hook['id']}/push", None, **github(SHA))
    assert answer.status_code == 202, answer.text
    heard = answer.json()
    task = await http.task(heard["task_id"], AUTHOR)
    assert (task["state"], task["stage"], task["course_id"]) == ("Pending", "Fetching the commit", COURSE)
    push = (await http("GET", heard["url"].removeprefix("http://lectern.test"), AUTHOR)).json()
    assert (push["sha"], push["pusher"], push["message"], push["state"]) == (SHA, "ann", "A change", "queued")
    assert push["log"][0]["text"].endswith("on main.")


async def test_the_same_commit_told_again_is_the_same_push(http, db, hook, github):
    url = f"/api/v1/hooks/{hook['id']}/push"
    first = (await http("POST", url, None, **github(SHA))).json()
    again = await http("POST", url, None, **github(SHA))
    assert (again.status_code, again.json()["status"]) == (200, "repeated")
    assert (again.json()["push_id"], again.json()["task_id"]) == (first["push_id"], first["task_id"])
    assert await db.fetchval("select count(*) from job") == 1


async def test_a_plain_sender_signs_the_body_too(http, hook):
    body = orjson.dumps({"sha": SHA, "branch": "main", "repository": "https://git.example.com/org/course"})
    for header in ("x-signature-256", "x-hub-signature-256"):
        answer = await http("POST", f"/api/v1/hooks/{hook['id']}/push", None, content=body,
                            headers={header: sign(SECRET, body)})  # fmt: skip
        assert answer.status_code in (202, 200)


async def test_github_may_send_a_form(http, hook):
    payload = quote(orjson.dumps({"ref": "refs/heads/main", "after": SHA}).decode())
    body = f"payload={payload}".encode()
    headers = {"content-type": "application/x-www-form-urlencoded", "x-github-event": "push",
               "x-hub-signature-256": sign(SECRET, body)}  # fmt: skip
    assert (
        await http("POST", f"/api/v1/hooks/{hook['id']}/push", None, content=body, headers=headers)
    ).status_code == 202


async def test_a_form_of_many_fields_is_refused(http, hook):
    body = b"&".join(b"payload=%5B" for _ in range(11))
    headers = {"content-type": "application/x-www-form-urlencoded", "x-hub-signature-256": sign(SECRET, body)}
    refused = await http("POST", f"/api/v1/hooks/{hook['id']}/push", None, content=body, headers=headers)
    assert (refused.status_code, refused.json()["error_code"]) == (400, "bad_payload")


@pytest.mark.parametrize(
    ("told", "msg", "status"),
    [
        ({"event": "ping"}, "pong", "pong"),
        ({"event": "issues"}, "We do not handle that event", "ignored"),
        ({"branch": "other"}, "Branch pushed doesn't match local branch, ignoring", "ignored"),
        ({"sha": "0" * 40}, "The branch was deleted, ignoring", "ignored"),
        ({"ref": "refs/tags/v1"}, "Branch pushed doesn't match local branch, ignoring", "ignored"),
    ],
)
async def test_what_is_no_push_to_this_branch_is_ignored(http, db, hook, github, told, msg, status):
    answer = await http("POST", f"/api/v1/hooks/{hook['id']}/push", None, **github(told.pop("sha", SHA), **told))
    assert (answer.status_code, answer.json()) == (200, {"msg": msg, "status": status})
    assert await db.fetchval("select count(*) from job") == 0


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"headers": {"x-github-event": "push"}}, 401, "bad_signature"),
        ({"secret": "not the secret at all"}, 401, "bad_signature"),
        ({"sha": "HEAD"}, 400, "bad_payload"),
        ({"sha": "5f" * 19}, 400, "bad_payload"),
        ({"sha": 7}, 400, "bad_payload"),
        ({"repository": {"clone_url": "https://git.example.com/org/other.git"}}, 400, "other_repository"),
        ({"repository": {"clone_url": "https://[::1/org/course.git"}}, 400, "other_repository"),
        ({"repository": "https://git.example.com/org/other.git"}, 400, "bad_payload"),
        ({"content": b"{", "resign": True}, 400, "bad_payload"),
        ({"content": b"[]", "resign": True}, 400, "bad_payload"),
        ({"content": b"\xff" * 6_000_000, "resign": True}, 413, "payload_too_large"),
    ],
)
async def test_a_push_that_cannot_be_believed_changes_nothing(http, db, hook, github, change, status, code):
    sent = github(
        change.pop("sha", SHA), **{k: v for k, v in change.items() if k not in ("headers", "content", "resign")}
    )
    if "content" in change:
        sent["content"] = change["content"]
        sent["headers"]["x-hub-signature-256"] = sign(SECRET, change["content"])
    sent["headers"] = change.get("headers", sent["headers"])
    answer = await http("POST", f"/api/v1/hooks/{hook['id']}/push", None, **sent)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert await db.fetchval("select count(*) from job") == await db.fetchval("select count(*) from hook_push") == 0


@pytest.mark.parametrize("hook_id", ["00000000-0000-0000-0000-000000000000", "x", "%00"])
async def test_an_unknown_hook_is_404(http, github, hook_id):
    assert (await http("POST", f"/api/v1/hooks/{hook_id}/push", None, **github(SHA))).status_code == 404
    assert (await http("GET", f"/api/v1/hooks/{hook_id}")).status_code == 404


async def test_a_hook_that_is_off_or_whose_maker_is_gone_begins_nothing(http, db, hook, github):
    url = f"/api/v1/hooks/{hook['id']}"
    await http("PATCH", url, json={"is_active": False})
    assert (await http("POST", f"{url}/push", None, **github(SHA))).status_code == 409
    await http("PATCH", url, json={"is_active": True})
    staff = await db.fetchval("select requester_id from hook")
    await db.execute(
        "insert into account (user_id, username, is_active, version) values ($1, 'staff', false, 1)", staff
    )
    assert (await http("POST", f"{url}/push", None, **github(SHA))).status_code == 409


async def test_a_hook_acts_with_the_rights_its_maker_has_now(http, db, hook, github):
    staff = await db.fetchval("select requester_id from hook")
    await db.execute(
        "insert into account (user_id, username, is_active, is_staff, version) values ($1, 'staff', true, false, 1)",
        staff,
    )
    await http("POST", f"/api/v1/hooks/{hook['id']}/push", None, **github(SHA))
    assert await db.fetchval("select requested_by ->> 'is_staff' from job") == "false"


async def test_a_hook_taken_away_cancels_what_nobody_will_fetch(http, hook, github):
    heard = (await http("POST", f"/api/v1/hooks/{hook['id']}/push", None, **github(SHA))).json()
    assert (await http("DELETE", f"/api/v1/hooks/{hook['id']}")).status_code == 204
    assert (await http.task(heard["task_id"]))["state"] == "Canceled"


@pytest.mark.parametrize("body", [{}, [], {"course_id": 5}])
async def test_who_is_nobody_hears_that_before_what_is_wrong_with_the_hook(http, body):
    assert (await http("POST", "/api/v1/hooks", None, json=body)).status_code == 401
    assert (await http("PATCH", f"/api/v1/hooks/{uuid4()}", None, json=body)).status_code == 401
