"""No body, field, parameter or header of any of the gateway's own routes makes it fail, or store what it refuses."""

import pytest

from common.testing.hostile import FORM, Description, bear, in_bytes

# besides what is documented
PAGES = {
    "/login": {"get": {"summary": "form"}, "post": {"requestBody": {"content": {FORM: {}}}}},
    "/logout": {"get": {"summary": "button"}, "post": {"summary": "end"}},
    "/status": {"get": {"summary": "status"}},
    "/openapi.json": {"get": {"summary": "document"}},
}


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=[pytest.mark.torture, pytest.mark.timeout(600)])])
@pytest.mark.parametrize("kind", ["bodies", "fields", "parameters"])
async def test_nothing_that_can_be_sent_makes_it_fail(client, gateway, staff, a_user, kind, every):
    name = f"hostile-{kind}-{every}"
    await a_user(name)
    link = {"username": name, "organization": "Org", "external_key": name}
    linked = await client.post("/api/accounts/v1/external_ids", json=link, headers=staff)
    document = client._transport.app.features.openapi()
    bodies = {
        "/api/accounts/v1/users": {"username": f"{name}-new", "email": f"{name}-new@example.com"},
        "/api/accounts/v1/tokens": {"username": name},
        "/api/accounts/v1/clients": {"username": name, "name": "one"},
        "/api/accounts/v1/external_ids": {**link, "external_key": f"{name}-new"},
        "/api/accounts/v1/org_roles": {"username": name, "org": "Org", "role": "staff"},
        "/api/accounts/v1/creator_grants": {"username": name, "designation": "Org"},
    }
    described = Description(
        {**document, "paths": document["paths"] | PAGES},
        {"username": name, "number": str(linked.json()["id"]), "service": "gateway"},
        bodies=bodies,
        names=("next",),
    )

    async def send(ask):
        headers = in_bytes({**staff, **ask.headers})
        return await client.request(ask.method, ask.url, content=ask.content, headers=headers)

    sent = await bear(getattr(described, kind)(), send, gateway.resources.pool, every=every)
    assert sent > 400 / every
