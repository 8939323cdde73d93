"""The token endpoint and the credentials it makes, as clients use them."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey


async def test_client_credentials_give_a_jwt_with_the_claims_edx_code_reads(client, credentials):
    answer = await client.post("/oauth2/access_token", data={**credentials, "token_type": "jwt"})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["scope"]) == ("JWT", "read write profile email")
    assert type(body["expires_in"]) is int
    assert body["expires_in"] < 86_400
    keys = KeySet.import_key_set((await client.get("/.well-known/jwks.json")).json())
    decoded = jwt.decode(body["access_token"], keys, algorithms=["RS256"])
    claims = decoded.claims
    assert claims["preferred_username"] == "lectern-admin"
    assert claims["administrator"] is True
    assert claims["exp"] - claims["iat"] == body["expires_in"]
    assert claims["scopes"] == ["read", "write", "profile", "email"]
    named = {
        "iss",
        "aud",
        "sub",
        "email",
        "email_verified",
        "user_id",
        "version",
        "grant_type",
        "filters",
        "is_restricted",
    }
    assert named <= set(claims)
    assert (claims["version"], claims["grant_type"]) == ("1.2.0", "client_credentials")


async def test_published_keys_hold_no_private_part(client):
    [key] = (await client.get("/.well-known/jwks.json")).json()["keys"]
    assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}


@pytest.mark.parametrize("path", ["/oauth2/access_token", "/oauth2/access_token/"])
@pytest.mark.parametrize("scheme", ["JWT", "jwt", "Bearer", "bEARER"])
async def test_the_wire_behaviour_of_the_edx_rest_api_client(client, credentials, path, scheme):
    """What edx-rest-api-client 7 sends: a form, then `Authorization: JWT`. The package itself needs Django."""
    answer = await client.post(
        path, data={**credentials, "token_type": "jwt"}, headers={"user-agent": "edx-rest-api-client"}
    )
    token = answer.json()["access_token"]
    me = await client.get("/api/user/v1/me", headers={"Authorization": f"{scheme} {token}"})
    assert (me.status_code, me.json()["username"]) == (200, "lectern-admin")


async def test_the_client_may_come_by_http_basic(client, credentials):
    pair = base64.b64encode(f"{credentials['client_id']}:{credentials['client_secret']}".encode()).decode()
    form = {"grant_type": "client_credentials"}
    answer = await client.post("/oauth2/access_token", data=form, headers={"Authorization": f"Basic {pair}"})
    assert (answer.status_code, answer.json()["token_type"]) == (200, "Bearer")
    for wrong in (base64.b64encode(b"robots:no").decode(), "%%%", base64.b64encode(b"\xff").decode()):
        answer = await client.post("/oauth2/access_token", data=form, headers={"Authorization": f"Basic {wrong}"})
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_id": "nul\0"}, 400, "invalid_request"),
        ({"client_id": ""}, 401, "invalid_client"),
        ({"grant_type": ""}, 400, "invalid_request"),
        ({"grant_type": "implicit"}, 400, "unsupported_grant_type"),
        ({"grant_type": "password"}, 400, "invalid_request"),
        ({"grant_type": "password", "username": "nobody", "password": "x"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "lrt_x"}, 400, "invalid_grant"),
        ({"scope": "everything"}, 400, "invalid_scope"),
    ],
)
async def test_refusals_have_the_oauth2_shape(client, credentials, change, status, error):
    answer = await client.post("/oauth2/access_token", data={**credentials, **change})
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["cache-control"] == "no-store"


async def test_a_body_that_is_no_form_is_refused(client, credentials):
    answer = await client.post("/oauth2/access_token", json=credentials)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    answer = await client.post(
        "/oauth2/access_token",
        content="grant_type=a&grant_type=b",
        headers={"content-type": "application/x-www-form-urlencoded"},
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert (await client.get("/oauth2/access_token")).status_code == 405
    assert "error" in (await client.get("/oauth2/nothing")).json()


async def test_password_grant_and_its_refresh_token_is_used_once(client, credentials, a_user):
    await a_user("typist", password="correct horse")
    form = {**credentials, "grant_type": "password", "username": "typist", "password": "correct horse"}
    first = (await client.post("/oauth2/access_token", data=form)).json()
    assert (
        await client.post("/oauth2/access_token", data={**form, "username": "TYPIST@example.com"})
    ).status_code == 200
    assert (await client.post("/oauth2/access_token", data={**form, "password": "wrong"})).status_code == 400
    me = await client.get("/api/user/v1/me", headers={"Authorization": f"Bearer {first['access_token']}"})
    assert me.json()["username"] == "typist"
    exchange = {**credentials, "grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    second = await client.post("/oauth2/access_token", data={**exchange, "scope": "read"})
    assert (second.status_code, second.json()["scope"]) == (200, "read")
    again = await client.post("/oauth2/access_token", data=exchange)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    wider = {**exchange, "refresh_token": second.json()["refresh_token"], "scope": "write"}
    assert (await client.post("/oauth2/access_token", data=wider)).json()["error"] == "invalid_scope"


async def test_a_new_password_ends_refresh_tokens(client, credentials, a_user, staff):
    await a_user("changer", password="the first one")
    form = {**credentials, "grant_type": "password", "username": "changer", "password": "the first one"}
    token = (await client.post("/oauth2/access_token", data=form)).json()["refresh_token"]
    change = {"password": "the second one"}
    assert (await client.patch("/api/accounts/v1/users/changer", json=change, headers=staff)).status_code == 200
    exchange = {**credentials, "grant_type": "refresh_token", "refresh_token": token}
    assert (await client.post("/oauth2/access_token", data=exchange)).json()["error"] == "invalid_grant"
    assert (await client.post("/oauth2/access_token", data={**form, "password": "the second one"})).status_code == 200


async def test_clients_are_made_listed_and_ended(client, staff, a_user, credentials):
    await a_user("robot")
    body = {"name": "CI", "username": "robot", "scopes": ["read"]}
    made = (await client.post("/api/accounts/v1/clients", json=body, headers=staff)).json()
    form = {"grant_type": "client_credentials", **{name: made[name] for name in ("client_id", "client_secret")}}
    token = (await client.post("/oauth2/access_token", data=form)).json()
    assert token["scope"] == "read"
    headers = {"Authorization": f"JWT {token['access_token']}"}
    me = (await client.get("/api/user/v1/me", headers=headers)).json()
    assert (me["username"], me["scopes"]) == ("robot", ["read"])
    listed = await client.get("/api/accounts/v1/clients?username=robot", headers=staff)
    assert made["client_secret"] not in listed.text
    [only] = listed.json()["results"]
    url = f"/api/accounts/v1/clients/{made['client_id']}"
    assert (await client.get(url, headers=staff)).json() == only
    assert (await client.delete(url, headers=staff)).status_code == 204
    assert (await client.post("/oauth2/access_token", data=form)).json()["error"] == "invalid_client"
    assert (await client.get("/api/user/v1/me", headers=headers)).status_code == 401


async def test_api_tokens_are_made_listed_and_ended(client, staff, a_user, connect, database_url):
    await a_user("token-holder")
    body = {"username": "token-holder", "scopes": ["course_modes:read"]}
    made = (await client.post("/api/accounts/v1/tokens", json=body, headers=staff)).json()
    for scheme in ("Token", "token", "Bearer"):
        me = await client.get("/api/user/v1/me", headers={"Authorization": f"{scheme} {made['token']}"})
        assert me.json()["scopes"] == ["course_modes:read"]
    url = f"/api/accounts/v1/tokens/{made['id']}"
    shown = await client.get(url, headers=staff)
    assert shown.json()["last_used_at"] is not None
    assert made["token"] not in shown.text
    assert made["id"] in (await client.get("/api/accounts/v1/tokens?username=token-holder", headers=staff)).text
    stored = await (await connect(database_url)).fetchval("select token_hash from api_tokens where id = $1", made["id"])
    assert made["token"].encode() not in stored
    assert (await client.delete(url, headers=staff)).status_code == 204
    me = await client.get("/api/user/v1/me", headers={"Authorization": f"Token {made['token']}"})
    assert (me.status_code, me.json()["detail"]) == (401, "Invalid token.")


async def test_the_life_of_an_api_token_is_given_in_seconds(client, staff, a_user):
    await a_user("brief")
    body = {"username": "brief", "expires_in": 3600}
    before = datetime.now(UTC)
    made = await client.post("/api/accounts/v1/tokens", json=body, headers=staff)
    assert made.status_code == 201
    left = datetime.fromisoformat(made.json()["expires_at"]) - before
    assert timedelta(seconds=3600) <= left < timedelta(seconds=3660)
    headers = {"Authorization": f"Bearer {made.json()['token']}"}
    assert (await client.get("/api/user/v1/me", headers=headers)).json()["username"] == "brief"


@pytest.mark.parametrize(
    "life",
    [
        {"expires_in": 0},
        {"expires_in": -1},
        {"expires_in": True},
        {"expires_in": "60"},
        {"expires_in": 10**20},
        {"expires_in": 60, "expires_at": "2040-01-01T00:00:00Z"},
        {"expires_at": "0001-01-01T00:00:00+23:59"},
        {"expires_at": "9999-12-31T23:59:59-23:59"},
    ],
)
async def test_a_life_that_is_none_is_refused(client, staff, life):
    answer = await client.post("/api/accounts/v1/tokens", json={"username": "whoever", **life}, headers=staff)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid")


async def test_an_expired_api_token_opens_nothing(client, staff, a_user):
    await a_user("late")
    body = {"username": "late", "expires_at": "2020-01-01T00:00:00Z"}
    made = (await client.post("/api/accounts/v1/tokens", json=body, headers=staff)).json()
    me = await client.get("/api/user/v1/me", headers={"Authorization": f"Bearer {made['token']}"})
    assert (me.status_code, me.json()["error_code"]) == (401, "token_expired")


async def test_a_foreign_key_or_algorithm_opens_nothing(client, credentials):
    token = (await client.post("/oauth2/access_token", data=credentials)).json()["access_token"]
    published = (await client.get("/.well-known/jwks.json")).json()["keys"][0]
    header, payload, _ = token.split(".")
    forged = jwt.encode(
        {"alg": "RS256", "typ": "at+jwt", "kid": published["kid"]},
        json.loads(base64.urlsafe_b64decode(payload + "==")),
        RSAKey.generate_key(2048),
    )
    plain = base64.urlsafe_b64encode(b'{"alg":"none","typ":"at+jwt"}').rstrip(b"=").decode()
    bad = [
        forged,
        f"{plain}.{payload}.",
        f"{header}.{payload}.",
        f"{header}.{payload}.AAAA",
        "a.b.c",
        "..",
        "x" * 9000 + ".b.c",
    ]
    for wrong in bad:
        me = await client.get("/api/user/v1/me", headers={"Authorization": f"JWT {wrong}"})
        assert me.status_code == 401, wrong
        assert me.json()["detail"] in (
            "Error decoding token.",
            "Invalid token.",
            "The provided access token is malformed.",
        )
