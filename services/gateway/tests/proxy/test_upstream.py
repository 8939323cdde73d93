"""The client by itself: what needs other times than the gateway's, and the breaker and the retry budget."""

import asyncio

import pytest

from common.testing.waiting import until
from gateway.proxy.breaker import Breaker, RetryBudget
from gateway.proxy.errors import Lost, Overloaded, TimedOut, Unreachable
from gateway.proxy.forward import Cut, Forwarder, Outgoing, fetch
from gateway.proxy.upstream import Upstream, sweep_for_ever


@pytest.fixture
async def upstream(service, request):
    """Connections to the scripted service, swept often; idle ones are kept for long unless the test says otherwise."""
    idle_seconds = getattr(request, "param", 60)
    service.play()
    host, _, port = service.url.removeprefix("http://").partition(":")
    made = Upstream("played", host, int(port), idle_seconds=idle_seconds, connections=3)
    sweep = asyncio.create_task(sweep_for_ever([made], every=0.02))
    yield made
    sweep.cancel()
    made.close()


def asking(**changes):
    values = {
        "method": "GET",
        "head": b"GET /x HTTP/1.1\r\nhost: x\r\n",
        "length": -1,
        "chunked": False,
        "body_limit": 1000,
        "timeout": 5,
        "repeatable": True,
    }
    return Outgoing(**{**values, **changes})


async def never():
    await asyncio.Event().wait()


class Client:
    """The server's side of a client: remembers what it is sent."""

    def __init__(self):
        self.messages = []

    async def __call__(self, message):
        self.messages.append(message)


async def test_no_head_in_time_is_a_timeout_and_ends_the_connection(upstream, service):
    async def script(exchange):
        await exchange.reader.read()

    service.play(script)
    with pytest.raises(TimedOut):
        await Forwarder().forward(upstream, asking(timeout=0.1), never, Client())
    assert (upstream.busy, upstream.idle) == (0, 0)


async def test_a_stall_in_the_middle_of_an_answer_cuts_it(upstream, service, monkeypatch):
    monkeypatch.setattr("gateway.proxy.forward.IDLE_BODY_SECONDS", 0.1)

    async def script(exchange):
        await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 900000\r\n\r\nstart")
        await exchange.reader.read()

    service.play(script)
    client = Client()
    with pytest.raises(Cut):
        await Forwarder().forward(upstream, asking(), never, client)
    assert [message.get("body") for message in client.messages] == [None, b"start"]
    assert upstream.busy == 0


@pytest.mark.parametrize("upstream", [0.2], indirect=True)
async def test_idle_connections_go_before_the_service_closes_them(upstream, service):
    assert await fetch(upstream, "/x") == (200, b"ok")
    assert upstream.idle == 1

    async def closed():
        return upstream.idle == 0 and service.closed == 1

    await until(closed)


async def test_bytes_nobody_asked_for_end_an_idle_connection(upstream, service):
    async def script(exchange):
        await exchange.send(service.OK)
        await asyncio.sleep(0.05)
        await exchange.send(service.OK)

    service.play(script)
    await fetch(upstream, "/x")

    async def dropped():
        return upstream.idle == 0

    await until(dropped)


async def test_a_second_answer_at_once_ends_the_connection(upstream, service):
    async def script(exchange):
        await exchange.send(service.OK + service.OK)

    service.play(script)
    assert await fetch(upstream, "/x") == (200, b"ok")
    assert upstream.idle == 0


async def test_a_service_that_closes_after_each_answer_is_connected_to_again(upstream, service):
    async def script(exchange):
        await exchange.send(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok")
        exchange.writer.close()

    service.play(script)
    for _ in range(3):
        assert await fetch(upstream, "/x") == (200, b"ok")
    assert service.connections == 3


async def test_more_than_the_bound_is_shed_at_once(upstream, service):
    release = asyncio.Event()

    async def script(exchange):
        await release.wait()
        await exchange.send(service.OK)

    service.play(script)
    waiting = [asyncio.create_task(fetch(upstream, "/x")) for _ in range(3)]
    await asyncio.sleep(0.05)
    with pytest.raises(Overloaded):
        await fetch(upstream, "/x")
    release.set()
    assert await asyncio.gather(*waiting) == [(200, b"ok")] * 3


async def test_a_refused_connection_is_tried_once_more_and_does_not_open_the_breaker():
    nowhere = Upstream("nowhere", "127.0.0.1", 9)
    for _ in range(30):
        with pytest.raises(Unreachable):
            await Forwarder().forward(nowhere, asking(), never, Client())
    assert not nowhere.breaker.open_until


async def test_the_breaker_opens_on_lost_answers_and_closes_after_a_good_probe(upstream, service, monkeypatch):
    monkeypatch.setattr(Breaker, "OPEN_SECONDS", 0.1)

    async def cut(exchange):
        exchange.cut()

    service.play(cut)
    forwarder = Forwarder()
    for _ in range(Breaker.LEAST):
        with pytest.raises(Lost):
            await forwarder.forward(upstream, asking(repeatable=False), never, Client())
    with pytest.raises(Overloaded):
        await forwarder.forward(upstream, asking(), never, Client())
    await asyncio.sleep(0.12)
    with pytest.raises(Lost):  # the probe fails: open again
        await forwarder.forward(upstream, asking(repeatable=False), never, Client())
    with pytest.raises(Overloaded):
        await forwarder.forward(upstream, asking(), never, Client())
    await asyncio.sleep(0.12)
    service.play()
    for _ in range(3):
        assert await forwarder.forward(upstream, asking(), never, Client()) == 200


async def test_a_cancelled_probe_lets_the_next_one_through(upstream, service):
    async def silent(exchange):
        await exchange.reader.read()

    service.play(silent)
    upstream.breaker.open_until = 1e-9
    probe = asyncio.create_task(Forwarder().forward(upstream, asking(), never, Client()))
    await asyncio.sleep(0.05)
    with pytest.raises(Overloaded):
        await Forwarder().forward(upstream, asking(), never, Client())
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    assert upstream.busy == 0
    service.play()
    assert await Forwarder().forward(upstream, asking(), never, Client()) == 200


def test_a_tenth_of_the_traffic_may_be_sent_twice():
    budget = RetryBudget()
    while budget.spend():
        pass
    for _ in range(100):
        budget.earn()
    assert 9 <= sum(budget.spend() for _ in range(50)) <= 10
