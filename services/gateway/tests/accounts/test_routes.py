"""The accounts API over HTTP, with the outbox looked at."""

import time
import uuid

import orjson
import pytest

from common.messaging import Message
from gateway.accounts.commands import DeleteLinkedHandler


async def announced(connect, database_url, type_):
    connection = await connect(database_url)
    rows = await connection.fetch("select payload from outbox where type = $1 order by id", type_)
    return [orjson.loads(row["payload"]) for row in rows]


async def states_of(connect, database_url, username):
    """Every announced state of an account."""
    return [
        user
        for payload in await announced(connect, database_url, "accounts.user.changed.v1")
        for user in payload["users"]
        if user["username"] == username
    ]


async def test_a_user_is_made_and_announced(client, staff, connect, database_url):
    body = {"username": "ada", "email": "ada@example.com", "name": "Ada L.", "country": "gb"}
    answer = await client.post("/api/accounts/v1/users", json=body, headers=staff)
    assert answer.status_code == 201
    made = answer.json()
    assert isinstance(made["user_id"], int)
    assert (made["username"], made["country"], made["is_staff"], made["is_active"]) == ("ada", "GB", False, True)
    assert await states_of(connect, database_url, "ada") == [
        {
            "user_id": made["user_id"],
            "username": "ada",
            "email": "ada@example.com",
            "name": "Ada L.",
            "is_active": True,
            "is_staff": False,
            "country": "GB",
            "version": 1,
        }
    ]
    assert (await client.get("/api/accounts/v1/users/ADA", headers=staff)).json() == made


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_list_of_users_is_made_at_once_and_in_order(client, staff, connect, database_url, slash):
    tag = f"bulk{'s' if slash else ''}"
    users = [{"username": f"{tag}{n}", "email": f"{tag}{n}@example.com"} for n in range(1200)]
    started = time.perf_counter()
    answer = await client.post(f"/api/accounts/v1/users{slash}", json=users, headers=staff)
    assert time.perf_counter() - started < 2
    assert answer.status_code == 201
    made = answer.json()
    assert [user["username"] for user in made] == [user["username"] for user in users]
    assert [user["user_id"] for user in made] == sorted(user["user_id"] for user in made)
    batches = [
        len(payload["users"])
        for payload in await announced(connect, database_url, "accounts.user.changed.v1")
        if payload["users"][0]["username"].startswith(f"{tag}0") or len(payload["users"]) > 100
    ]
    assert batches[-3:] == [500, 500, 200]


async def test_a_taken_name_or_address_refuses_the_whole_list(client, staff, a_user):
    await a_user("taken")
    new = {"username": "not-yet", "email": "not-yet@example.com"}
    for other in (
        {"username": "TAKEN", "email": "other@example.com"},
        {"username": "other", "email": "Taken@Example.com"},
    ):
        answer = await client.post("/api/accounts/v1/users", json=[new, other], headers=staff)
        assert answer.status_code == 409
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["error_code"] == "user_taken"
        assert len(answer.json()["taken"]) == 1
    assert (await client.get("/api/accounts/v1/users/not-yet", headers=staff)).status_code == 404
    answer = await client.post("/api/accounts/v1/users", json=[new, new], headers=staff)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "user_twice")


FINE = {"username": "fine", "email": "fine@example.com"}


@pytest.mark.parametrize(
    "change",
    [
        {"username": ""},
        {"username": "a,b"},
        {"username": "a b"},
        {"username": "a/b"},
        {"username": "x" * 151},
        {"username": "nul\0"},
        {"username": 5},
        {"email": "nobody"},
        {"email": "a@b@c"},
        {"email": "a b@c"},
        {"name": "line\nbreak"},
        {"name": "nul\0"},
        {"country": "England"},
        {"password": "short"},
        {"surprise": 1},
    ],
    ids=str,
)
async def test_bad_fields_are_refused_as_problems(client, staff, change):
    body = {**FINE, **change}
    answer = await client.post("/api/accounts/v1/users", json=body, headers=staff)
    assert answer.status_code == 400
    assert answer.json()["status"] == 400
    assert list(answer.json()["field_errors"]) == list(change)
    several = await client.post("/api/accounts/v1/users", json=[FINE, body], headers=staff)
    assert list(several.json()["field_errors"]) == [f"1.{name}" for name in change]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[1]", b'"x"', b'{"username": "\\ud800", "email": "a@b.c"}'])
async def test_broken_bodies_are_refused_as_problems(client, staff, content):
    headers = {**staff, "content-type": "application/json"}
    answer = await client.post("/api/accounts/v1/users", content=content, headers=headers)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_change_is_announced_with_the_next_version_and_no_change_is_not(
    client, staff, a_user, connect, database_url
):
    await a_user("changing")
    url = "/api/accounts/v1/users/changing"
    assert (await client.patch(url, json={"name": "New", "is_staff": True}, headers=staff)).json()["name"] == "New"
    assert (await client.patch(url, json={"name": "New"}, headers=staff)).status_code == 200
    states = await states_of(connect, database_url, "changing")
    assert [(state["version"], state["name"], state["is_staff"]) for state in states] == [
        (1, "", False),
        (2, "New", True),
    ]
    await a_user("holder")
    answer = await client.patch(url, json={"email": "holder@example.com"}, headers=staff)
    assert answer.status_code == 409


async def test_the_list_is_paged_and_filtered(client, staff, a_user):
    await a_user("listed-one")
    first = (await client.get("/api/accounts/v1/users?page_size=1", headers=staff)).json()
    assert len(first["results"]) == 1
    assert first["pagination"]["count"] == first["pagination"]["num_pages"] > 1
    assert first["pagination"]["next"].endswith("/api/accounts/v1/users?page_size=1&page=2")
    found = (await client.get("/api/accounts/v1/users?email=listed-one@example.com", headers=staff)).json()
    assert [user["username"] for user in found["results"]] == ["listed-one"]
    assert (await client.get("/api/accounts/v1/users?page=999999", headers=staff)).status_code == 404


async def test_only_global_staff_may(client, a_user):
    learner = await a_user("learner")
    resources = ("users", "tokens", "clients", "external_ids", "org_roles", "creator_grants")
    for name in resources:
        url = f"/api/accounts/v1/{name}"
        assert (await client.get(url)).status_code == 401
        refused = await client.get(url, headers=learner["headers"])
        assert (refused.status_code, refused.json()["error_code"]) == (403, "permission_denied")
    assert (await client.post("/api/accounts/v1/users", json=[], headers=learner["headers"])).status_code == 403


async def test_retirement_replaces_the_names_and_ends_every_credential(
    client, staff, a_user, connect, database_url, credentials
):
    gone = await a_user("gone", password="a long password")
    link = {"username": "gone", "organization": "UTCx", "external_key": "S-1"}
    assert (await client.post("/api/accounts/v1/external_ids", json=link, headers=staff)).status_code == 201
    assert (await client.get("/api/user/v1/me", headers=gone["headers"])).status_code == 200
    answer = await client.post("/api/accounts/v1/users/gone/retire", headers=staff)
    assert answer.status_code == 202
    retired = answer.json()
    assert retired["username"].startswith("retired__user_")
    assert "gone" not in answer.text
    assert (retired["is_active"], retired["user_id"]) == (False, gone["user_id"])
    again = await client.post("/api/accounts/v1/users/gone/retire", headers=staff)
    assert (again.status_code, again.json()) == (202, retired)

    [said] = [
        user
        for payload in await announced(connect, database_url, "accounts.user.retired.v1")
        for user in payload["users"]
        if user["user_id"] == gone["user_id"]
    ]
    assert (said["former_username"], said["former_email"]) == ("gone", gone["email"])
    assert (said["username"], said["version"]) == (retired["username"], 2)
    assert said["email"].endswith("@retired.invalid")
    [state] = await states_of(connect, database_url, retired["username"])
    assert (state["version"], state["is_active"], state["name"]) == (2, False, "")
    kept = await (await connect(database_url)).fetch(
        "select external_key, removed_at, version from external_ids where user_id = $1", gone["user_id"]
    )
    assert [(row["version"], row["removed_at"] is not None) for row in kept] == [(2, True)]
    assert "S-1" not in kept[0]["external_key"]
    form = {**credentials, "grant_type": "password", "username": "gone", "password": "a long password"}
    assert (await client.post("/oauth2/access_token", data=form)).json()["error"] == "invalid_grant"
    again = await client.post(
        "/api/accounts/v1/users", json={"username": "gone", "email": "gone@example.com"}, headers=staff
    )
    assert again.status_code == 201


async def test_a_key_in_another_case_is_the_same_key(client, staff, a_user):
    await a_user("upper-case")
    await a_user("lower-case")
    url = "/api/accounts/v1/external_ids"
    body = {"username": "upper-case", "organization": "CaseX", "external_key": "Straße-A1"}
    made = await client.post(url, json=body, headers=staff)
    assert made.status_code == 201
    other = {"username": "lower-case", "organization": "CaseX", "external_key": "straße-a1"}
    refused = await client.post(url, json=other, headers=staff)
    assert (refused.status_code, refused.json()["error_code"]) == (409, "external_id_taken")
    elsewhere = other | {"organization": "CaseY"}
    assert (await client.post(url, json=elsewhere, headers=staff)).status_code == 201
    assert (await client.delete(f"{url}/{made.json()['id']}", headers=staff)).status_code == 204
    assert (await client.post(url, json=other, headers=staff)).status_code == 201


async def test_external_ids_are_linked_once_and_leave_a_tombstone(client, staff, a_user, connect, database_url):
    await a_user("linked")
    url = "/api/accounts/v1/external_ids"
    body = {"username": "linked", "organization": "MITx", "external_key": "42"}
    made = (await client.post(url, json=body, headers=staff)).json()
    assert isinstance(made["id"], int)
    assert (await client.post(url, json=body, headers=staff)).status_code == 409
    assert (await client.get(f"{url}/{made['id']}", headers=staff)).json() == made
    found = (await client.get(f"{url}?organization=MITx", headers=staff)).json()
    assert [link["external_key"] for link in found["results"]] == ["42"]
    assert (await client.delete(f"{url}/{made['id']}", headers=staff)).status_code == 204
    assert (await client.get(f"{url}/{made['id']}", headers=staff)).status_code == 404
    assert (await client.post(url, json=body, headers=staff)).status_code == 201
    rows = await (await connect(database_url)).fetch(
        "select version, removed_at from external_ids where external_key = '42' order by id"
    )
    assert [(row["version"], row["removed_at"] is not None) for row in rows] == [(2, True), (1, False)]
    said = [
        link
        for payload in await announced(connect, database_url, "accounts.external_id.linked.v1")
        for link in payload["links"]
        if link["external_key"] == "42"
    ]
    assert [(link["version"], link["removed"]) for link in said] == [(1, False), (2, True), (1, False)]
    assert {link["username"] for link in said} == {"linked"}
    assert said[0]["id"] == made["id"] != said[2]["id"]


async def test_linked_accounts_are_retired_by_command(client, staff, a_user, connect, database_url, gateway):
    names = ("reset-one", "reset-two", "reset-not")
    for number, name in enumerate(names):
        await a_user(name)
        organization = "ResetX" if name != "reset-not" else "KeptX"
        body = {"username": name, "organization": organization, "external_key": f"key-{number}"}
        assert (await client.post("/api/accounts/v1/external_ids", json=body, headers=staff)).status_code == 201
    body = orjson.dumps({"command_id": "reset-1", "organization": "ResetX"})
    handler = DeleteLinkedHandler(b"a pepper of these tests")
    for _ in range(2):  # a second time changes nothing
        async with gateway.resources.sessions.begin() as session:
            await handler(session, [Message(id=uuid.uuid4(), type="accounts.delete_linked.v1", body=body, headers={})])
    for name in names:
        status = (await client.get(f"/api/accounts/v1/users/{name}", headers=staff)).status_code
        assert status == (200 if name == "reset-not" else 404)
    said = [
        link
        for payload in await announced(connect, database_url, "accounts.external_id.linked.v1")
        for link in payload["links"]
        if link["organization"] == "ResetX" and link["removed"]
    ]
    assert len(said) == 2
    assert not any(link["external_key"].startswith("key-") for link in said)


async def test_org_roles_are_held_once(client, staff, a_user):
    await a_user("ranked")
    url, body = "/api/accounts/v1/org_roles", {"username": "ranked", "org": "UTCx", "role": "staff"}
    made = await client.post(url, json=body, headers=staff)
    assert made.status_code == 201
    again = await client.post(url, json=body, headers=staff)
    assert (again.status_code, again.json()) == (200, made.json())
    assert (await client.get(f"{url}?org=UTCx", headers=staff)).json()["results"] == [made.json()]
    assert (await client.delete(f"{url}/{made.json()['id']}", headers=staff)).status_code == 204
    assert (await client.get(f"{url}/{made.json()['id']}", headers=staff)).status_code == 404


async def test_a_grant_is_given_by_staff_and_by_holders_of_a_wider_one(client, staff, a_user):
    url = "/api/accounts/v1/creator_grants"
    holder, other = await a_user("grant-holder"), await a_user("grant-taker")
    wide = {"username": "grant-holder", "designation": "UTCx"}
    narrow = {"username": "grant-taker", "designation": "UTCx.chem"}
    for body in (narrow, {}, {"designation": 5}):
        assert (await client.post(url, json=body, headers=other["headers"])).status_code == 403
    assert (await client.post(url, json=wide, headers=staff)).status_code == 201
    made = await client.post(url, json=narrow, headers=holder["headers"])
    assert (made.status_code, made.json()["granted_by"]) == (201, "grant-holder")
    for beyond in ("UTCx", "UTC", "UTCxx.chem", "MITx"):
        answer = await client.post(url, json={**narrow, "designation": beyond}, headers=holder["headers"])
        assert (answer.status_code, answer.json()["error_code"]) == (403, "grant_not_yours"), beyond
    assert (await client.delete(f"{url}/{made.json()['id']}", headers=other["headers"])).status_code == 403
    assert (await client.delete(f"{url}/{made.json()['id']}", headers=holder["headers"])).status_code == 204


async def test_the_same_idempotency_key_gets_the_same_answer(client, staff):
    headers = {**staff, "Idempotency-Key": "make-idem"}
    body = {"username": "idem", "email": "idem@example.com"}
    first = await client.post("/api/accounts/v1/users", json=body, headers=headers)
    again = await client.post("/api/accounts/v1/users", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    other = await client.post("/api/accounts/v1/users", json={**body, "name": "x"}, headers=headers)
    assert (other.status_code, other.json()["error_code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("path", ["users/nobody", "tokens/nothing", "clients/none", "external_ids/1000000"])
async def test_what_is_not_there_is_a_problem(client, staff, path):
    answer = await client.get(f"/api/accounts/v1/{path}", headers=staff)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["users/a%00b", "users/a%0A", "users?username=%00", "external_ids/99999999999999999999", "org_roles/x"]
)
async def test_odd_paths_are_refused_not_broken(client, staff, path):
    answer = await client.get(f"/api/accounts/v1/{path}", headers=staff)
    assert answer.status_code in (400, 404)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_wrong_method_is_a_problem(client, staff):
    answer = await client.put("/api/accounts/v1/users", json={}, headers=staff)
    assert (answer.status_code, answer.json()["error_code"]) == (405, "method_not_allowed")
