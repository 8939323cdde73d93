"""Operators look at what was parked, send it back or give it up; every decision leaves a line."""

import httpx
import pytest
from sample import EVENTS, SERVICE, DoIt, Item, ItemsChanged, Nobody

from common.app import build_app
from common.identity import InternalTokens
from common.messaging.parking import routes
from common.testing.identity import a_caller

BASE = f"/api/operations/v1/{SERVICE}/parked"


@pytest.fixture
async def client(bus, keys):
    object.__setattr__(bus.resources, "identity", InternalTokens(keys.public, audience=SERVICE))
    app = build_app(bus.resources, title="sample", routers=[routes.router])

    async def with_state(scope, receive, send):
        scope.setdefault("state", {})["resources"] = bus.resources
        await app(scope, receive, send)

    transport = httpx.ASGITransport(app=with_state)
    headers = keys.headers(a_caller("op", staff=True), audience=SERVICE)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as one:
        yield one


@pytest.fixture
async def parked(bus, sick):
    """One poison message in the lot, relay and consumer running."""
    bus.relay()
    bus.consume()
    poison = ItemsChanged(items=[Item(id="a", version=1, name="poison")]).model_dump_json().encode()
    await bus.publish(poison, key=ItemsChanged.type, headers={"cloudEvents_source": "elsewhere"})
    await bus.reaches("select count(*) from parked_message", 1)
    return str(await bus.value("select id from parked_message"))


async def test_the_list_and_the_message(client, parked):
    page = (await client.get(BASE)).json()
    assert [(line["id"], line["queue"], line["reason"]) for line in page["results"]] == [(parked, EVENTS, "permanent")]
    assert page["next"] is None
    assert (await client.get(BASE, params={"type": "other.v1"})).json()["results"] == []
    shown = (await client.get(f"{BASE}/{parked}")).json()
    assert '"poison"' in shown["body"]
    assert shown["headers"]["cloudEvents_source"] == "elsewhere"
    assert shown["audit"] == []


async def test_replay_brings_the_effect_and_is_written_down(bus, client, parked, sick):
    sick(False)
    answer = await client.post(f"{BASE}/{parked}/replay", json={"reason": "fixed"})
    assert answer.status_code == 202
    await bus.reaches("select name from item", "poison")
    again = await client.post(f"{BASE}/{parked}/replay")
    assert (again.status_code, again.json()["error_code"]) == (409, "not_parked")
    shown = (await client.get(f"{BASE}/{parked}")).json()
    assert [(line["action"], line["actor"], line["note"]) for line in shown["audit"]] == [("replay", "op", "fixed")]
    assert shown["replay_count"] == 1
    assert (await client.get(BASE)).json()["results"] == []


async def test_discard_gives_it_up(bus, client, parked):
    assert (await client.post(f"{BASE}/{parked}/discard")).json()["state"] == "discarded"
    assert (await client.post(f"{BASE}/{parked}/replay")).status_code == 409
    assert await bus.value("select action from parked_audit") == "discard"


async def test_an_unroutable_command_is_released_to_the_relay(bus, client):
    await bus.send(Nobody(what="?"))
    bus.relay(attempts=1)
    await bus.reaches("select count(*) from parked_message where queue = 'outbox'", 1)
    identity = await bus.value("select id from parked_message")
    await bus.database.execute("update outbox set routing_key = $1", DoIt.type)
    assert (await client.post(f"{BASE}/{identity}/replay")).status_code == 202
    await bus.reaches("select count(*) from outbox where sent_at is not null", 1)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", BASE), ("GET", f"{BASE}/x"), ("POST", f"{BASE}/x/replay"), ("POST", f"{BASE}/x/discard")],
)
async def test_only_global_staff_of_this_service_gets_in(client, keys, method, path):
    learner = keys.headers(a_caller("learner"), audience=SERVICE)
    nobody = keys.headers(a_caller(None), audience=SERVICE)
    assert (await client.request(method, path, headers=learner)).status_code == 403
    assert (await client.request(method, path, headers=nobody)).status_code == 401
    assert (await client.request(method, path.replace(SERVICE, "another"))).status_code == 404


async def test_what_cannot_be_stored_is_refused_by_field(client, parked):
    for name in ("type", "queue", "fingerprint"):
        refused = await client.get(f"{BASE}?{name}=a%00")
        assert (refused.status_code, list(refused.json()["field_errors"])) == (400, [name])
    for reason in ("a\0", "x" * 2001):
        refused = await client.post(f"{BASE}/{parked}/discard", json={"reason": reason})
        assert (refused.status_code, list(refused.json()["field_errors"])) == (400, ["reason"])
    assert (await client.get(f"{BASE}/{parked}")).json()["state"] == "parked"


async def test_an_unknown_message_is_not_found(client):
    missing = "0199aaaa-0000-7000-8000-000000000000"
    assert (await client.get(f"{BASE}/{missing}")).json()["error_code"] == "parked_message_not_found"
