"""Who a request is taken for, and in which words it is refused."""

import asyncio
import uuid

import pytest

COURSES = "/api/courses/v1/courses/"
ENROLLMENT = "/api/enrollment/v1/enrollment"
OURS = "/api/content/v1/anything"
STUDIO = "/xblock/"


@pytest.mark.parametrize(
    ("path", "header", "status", "body"),
    [
        (ENROLLMENT, "JWT a.b.c", 401, {"detail": "Error decoding token."}),
        (ENROLLMENT, "Token nonsense", 401, {"detail": "Invalid token."}),
        (
            ENROLLMENT,
            "Bearer nonsense",
            401,
            {
                "error_code": "token_nonexistent",
                "developer_message": "The provided access token does not match any valid tokens.",
            },
        ),
        (
            COURSES,
            "Bearer nonsense",
            401,
            {
                "developer_message": {
                    "error_code": "token_nonexistent",
                    "developer_message": "The provided access token does not match any valid tokens.",
                }
            },
        ),
        (COURSES, "JWT a.b.c", 401, {"developer_message": "Error decoding token."}),
        (ENROLLMENT, "Bearer", 401, {"error_code": "token_not_provided"}),
        (ENROLLMENT, "Bearer a b", 401, {"error_code": "token_malformed"}),
        (ENROLLMENT, "Digest abc", 401, {"detail": "Authentication credentials were not provided."}),
        (OURS, "Bearer nonsense", 401, {"error_code": "token_nonexistent", "status": 401}),
        (STUDIO, "Bearer nonsense", 401, {"error_code": "token_nonexistent"}),
    ],
)
async def test_bad_credentials_are_refused_in_the_words_of_the_family(client, path, header, status, body):
    for _ in range(2):  # the second answer comes from the cache
        answer = await client.get(path, headers={"Authorization": header})
        assert answer.status_code == status
        assert answer.json() | body == answer.json()
        assert ("www-authenticate" in answer.headers) == (path != COURSES)


@pytest.mark.parametrize("path", [ENROLLMENT, COURSES, OURS, "/api/user/v1/me"])
async def test_more_than_one_authorization_header_is_refused(client, staff, path):
    pair = [("Authorization", staff["Authorization"])] * 2
    assert (await client.get(path, headers=pair)).status_code == 400


async def test_course_details_ignore_a_broken_authorization_header(client):
    for headers in ({"Authorization": "Bearer broken"}, [("Authorization", "JWT a"), ("Authorization", "JWT b")]):
        answer = await client.get("/api/enrollment/v1/course/course-v1:a+b+c", headers=headers)
        assert answer.status_code == 502  # it went on to the service, which is not there


async def test_an_inactive_account_is_still_somebody(client, a_user):
    made = await a_user("inactive", is_active=False)
    me = await client.get("/api/user/v1/me", headers=made["headers"])
    assert (me.status_code, me.json()["is_active"]) == (200, False)


async def test_everybody_is_told_who_they_are_in_upstreams_words(client, a_user):
    made = await a_user("named", name="Nora Named")
    for path in ("/api/mobile/v0.5/my_user_info", "/api/mobile/v0.5/my_user_info/"):
        told = await client.get(path, headers=made["headers"])
        known = {"id": made["user_id"], "username": "named", "email": "named@example.com", "name": "Nora Named"}
        assert (told.status_code, told.json()) == (200, known)
    nobody = await client.get("/api/mobile/v0.5/my_user_info")
    assert (nobody.status_code, nobody.json()["detail"]) == (401, "Authentication credentials were not provided.")


@pytest.mark.parametrize(
    ("scopes", "may_write"),
    [
        (["read"], False),
        (["read", "profile", "email"], False),
        (["course_modes:read"], False),
        ([], False),
        (["read", "write"], True),
        (["write"], True),
        (["read", "grades:write"], True),
        (None, True),
    ],
)
async def test_a_token_for_reading_writes_nothing(client, staff, a_user, scopes, may_write):
    await a_user(name := f"scoped-{uuid.uuid4().hex[:8]}", is_staff=True)
    made = await client.post("/api/accounts/v1/tokens", json={"username": name, "scopes": scopes}, headers=staff)
    headers = {"Authorization": f"Bearer {made.json()['token']}"}
    assert (await client.get("/api/accounts/v1/users", headers=headers)).status_code == 200
    body = {"username": f"{name}-2", "email": f"{name}-2@example.com"}
    answer = await client.post("/api/accounts/v1/users", json=body, headers=headers)
    assert answer.status_code == (201 if may_write else 403)
    if not may_write:
        assert answer.json()["error_code"] == "insufficient_scope"
        api_key = {"X-Edx-Api-Key": "the-servers-key"}
        assert (await client.put(ENROLLMENT, headers=headers | api_key)).status_code == 502  # it went on


async def test_a_changed_account_is_seen_by_the_next_request(client, staff, a_user):
    made = await a_user("promoted")
    assert not (await client.get("/api/user/v1/me", headers=made["headers"])).json()["is_staff"]
    await client.patch("/api/accounts/v1/users/promoted", json={"is_staff": True}, headers=staff)
    role = {"username": "promoted", "org": "MITx", "role": "instructor"}
    await client.post("/api/accounts/v1/org_roles", json=role, headers=staff)
    grant = {"username": "promoted", "designation": "MITx"}
    await client.post("/api/accounts/v1/creator_grants", json=grant, headers=staff)
    me = (await client.get("/api/user/v1/me", headers=made["headers"])).json()
    assert me["is_staff"]
    assert me["org_roles"] == [{"org": "MITx", "role": "instructor"}]
    assert me["creator_grants"] == ["MITx"]


async def test_a_retired_account_is_refused_at_once(client, staff, a_user, credentials):
    await a_user("leaver")
    made = (
        await client.post("/api/accounts/v1/clients", json={"name": "x", "username": "leaver"}, headers=staff)
    ).json()
    form = {"grant_type": "client_credentials", **{name: made[name] for name in ("client_id", "client_secret")}}
    token = (await client.post("/oauth2/access_token", data=form)).json()["access_token"]
    assert (await client.get("/api/user/v1/me", headers={"Authorization": f"JWT {token}"})).status_code == 200
    await client.delete("/api/accounts/v1/users/leaver", headers=staff)
    assert (await client.get("/api/user/v1/me", headers={"Authorization": f"JWT {token}"})).status_code == 401


async def test_simultaneous_requests_ask_the_database_once(gateway, staff, client, forget, monkeypatch):
    asked = 0
    real = gateway.authenticator._by_user_token

    async def counted(*args, **kwargs):
        nonlocal asked
        asked += 1
        return await real(*args, **kwargs)

    monkeypatch.setattr(gateway.authenticator, "_by_user_token", counted)
    forget()
    answers = await asyncio.gather(*(client.get("/api/user/v1/me", headers=staff) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert asked == 1


async def test_the_admin_account_is_made_once_and_repaired(gateway, client, staff, connect, database_url):
    from gateway.tokens.operations import ensure_admin

    connection = await connect(database_url)
    await connection.execute("update users set is_staff = false where username = 'lectern-admin'")
    for _ in range(2):
        async with gateway.resources.sessions.begin() as session:
            settings = gateway.settings
            secret = settings.admin_client_secret.get_secret_value()
            await ensure_admin(session, client_id=settings.admin_client_id, secret=secret, pepper=gateway.pepper)
    rows = await connection.fetch("select is_staff, version from users where username = 'lectern-admin'")
    assert [(row["is_staff"], row["version"]) for row in rows] == [(True, 2)]
