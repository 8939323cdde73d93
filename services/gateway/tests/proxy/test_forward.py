"""What a client and a service see of each other, through the real gateway process."""

import asyncio
import json
from pathlib import Path

import pytest

from common.identity import InternalTokens
from common.testing.waiting import until

BLOCKS = "/api/courses/v1/blocks/"
IMPORT = "/api/v0/import/course-v1:a+b+c"


def memory_of(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024


async def read_head(reader):
    return (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode()


async def test_a_plain_request_is_answered(through, service):
    service.play()
    answer = await through.get(BLOCKS)
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, "ok", "text/plain")
    assert len(answer.headers["x-request-id"]) == 32
    assert answer.headers.get_list("date") == [answer.headers["date"]]


async def test_the_service_learns_who_calls_from_the_gateway_alone(through, service, staff, keys):
    service.play()
    forged = {
        "X-Lectern-Identity": "forged",
        "X-Lectern-Client-Address": "192.0.2.1",
        "X-Lectern-Anything": "x",
        "X-Internal-User": "admin",
        "X-Forwarded-For": "192.0.2.1",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-User": "admin",
        "Forwarded": "for=192.0.2.1",
        "X-Real-IP": "192.0.2.1",
        "X-Country": "DE",
        "X-Lectern-Client-Country": "DE",
        "Cookie": "lectern_session=x; other=y",
        "X-Edx-Api-Key": "wrong",
        "Connection": "keep-alive, X-Secret, Authorization",
        "X-Secret": "dropped because Connection names it",
        "Keep-Alive": "5",
        "TE": "trailers",
        "Upgrade": "h2c",
        "Proxy-Authorization": "x",
        "X-Kept": "yes",
    }
    assert (await through.get(BLOCKS, headers={**forged, **staff})).status_code == 200
    [seen] = service.seen
    caller = InternalTokens(keys.public, audience="content").verify(seen.header("x-lectern-identity"))
    assert (caller.username, caller.is_staff, caller.api_key) == ("lectern-admin", True, False)
    assert seen.header("x-lectern-client-address") == "127.0.0.1"
    assert seen.header("x-forwarded-host") == through.base_url.netloc.decode()
    assert seen.header("x-forwarded-proto") == "http"
    assert seen.header("x-kept") == "yes"
    kept = {name for name, _ in seen.headers}
    assert kept <= {
        "host", "accept", "accept-encoding", "user-agent", "x-kept", "x-request-id",
        "x-lectern-identity", "x-lectern-client-address", "x-forwarded-host", "x-forwarded-proto",
    }  # fmt: skip


async def test_the_anonymous_and_the_api_key_carry_a_token_too(through, service, keys, values):
    service.play()
    await through.get(BLOCKS)
    await through.get("/api/enrollment/v1/roles/", headers={"X-Edx-Api-Key": values["edx_api_key"]})
    content, enrollment = (exchange.header("x-lectern-identity") for exchange in service.seen)
    assert InternalTokens(keys.public, audience="content").verify(content).is_anonymous
    assert InternalTokens(keys.public, audience="enrollment").verify(enrollment).api_key


async def test_a_trusted_proxy_is_believed_and_an_untrusted_host_is_not(dial, service):
    service.play()
    forwarded = (
        "x-forwarded-for: 203.0.113.9, 198.51.100.7, 127.0.0.2\r\nx-forwarded-host: courses.example.org\r\n"
        "x-forwarded-proto: https\r\nx-country: de\r\n"
    )
    for source, host in (("127.0.0.2", "inner:80"), ("127.0.0.1", "evil.example")):
        async with dial(source) as (reader, writer):
            writer.write(f"GET {BLOCKS} HTTP/1.1\r\nhost: {host}\r\n{forwarded}\r\n".encode())
            assert " 200 " in await read_head(reader)
    proxied, direct = service.seen
    assert proxied.header("x-lectern-client-address") == "198.51.100.7"
    assert (proxied.header("x-forwarded-proto"), proxied.header("x-forwarded-host")) == ("https", "courses.example.org")
    assert proxied.header("x-lectern-client-country") == "DE"
    assert direct.header("x-lectern-client-address") == "127.0.0.1"
    assert (direct.header("x-forwarded-proto"), direct.header("x-forwarded-host")) == ("https", "lectern.example.org")
    assert direct.header("x-lectern-client-country") is None


async def test_connections_are_kept_and_used_again(through, service):
    service.drop_all()
    service.play()
    for _ in range(5):
        await through.get(BLOCKS)
    assert (len(service.seen), service.connections) == (5, 1)


async def test_a_stale_connection_is_replaced_for_a_get(through, service):
    async def vanish_when_reused(exchange):
        if exchange.number > 1:
            exchange.cut()
        else:
            await exchange.send(service.OK)

    service.play(vanish_when_reused)
    service.drop_all()
    await through.get(BLOCKS)
    answer = await through.get(BLOCKS)
    assert answer.status_code == 200
    assert (len(service.seen), service.connections) == (3, 2)


@pytest.mark.parametrize(("headers", "status"), [({}, 502), ({"Idempotency-Key": "k"}, 200)])
async def test_a_stale_connection_ends_a_post_unless_it_may_be_repeated(through, service, headers, status):
    async def vanish_when_reused(exchange):
        await exchange.body()
        if exchange.number > 1:
            exchange.cut()
        else:
            await exchange.send(service.OK)

    service.play(vanish_when_reused)
    service.drop_all()
    await through.get("/api/enrollment/v1/roles/")
    answer = await through.post("/api/enrollment/v1/enrollment", json={}, headers=headers)
    assert answer.status_code == status
    if status == 502:
        assert answer.json()["error_code"] == "upstream_lost"
        assert len(service.seen) == 2


async def test_a_head_answer_has_a_length_and_no_body_and_leaves_the_connection_usable(through, service):
    async def script(exchange):
        if exchange.line.startswith("HEAD"):
            await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\n\r\n")
        else:
            await exchange.send(service.OK)

    service.play(script)
    service.drop_all()
    answer = await through.head(BLOCKS)
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "5000000", b"")
    assert (await through.get(BLOCKS)).text == "ok"
    assert service.connections == 1


@pytest.mark.parametrize("head", [b"204 No Content\r\n", b"304 Not Modified\r\netag: x\r\ncontent-length: 7\r\n"])
async def test_answers_without_a_body_leave_the_connection_usable(through, service, head):
    async def script(exchange):
        await exchange.send(b"HTTP/1.1 " + head + b"\r\n" if exchange.number == 1 else service.OK)

    service.play(script)
    service.drop_all()
    assert (await through.get(BLOCKS)).status_code == int(head[:3])
    assert (await through.get(BLOCKS)).text == "ok"
    assert service.connections == 1


async def test_an_interim_answer_is_skipped(through, service):
    async def script(exchange):
        await exchange.send(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + service.OK)

    service.play(script)
    answer = await through.get(BLOCKS)
    assert (answer.status_code, answer.text) == (200, "ok")
    assert "link" not in answer.headers


async def test_a_chunked_answer_streams_through_as_it_comes(through, service):
    go_on = asyncio.Event()

    async def script(exchange):
        await exchange.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        await go_on.wait()
        await exchange.send(b"3\r\ntwo\r\n0\r\n\r\n")

    service.play(script)
    async with through.stream("GET", BLOCKS) as answer:
        parts = answer.aiter_raw()
        assert await anext(parts) == b"one"
        go_on.set()
        assert [part async for part in parts] == [b"two"]


async def test_a_body_that_ends_with_the_connection_is_whole(through, service):
    async def script(exchange):
        await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nto the end")
        exchange.writer.close()

    service.play(script)
    assert (await through.get(BLOCKS)).text == "to the end"


async def test_a_large_answer_comes_whole(through, service):
    data = bytes(range(256)) * 20_000

    async def script(exchange):
        await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(data))
        await exchange.send(data)

    service.play(script)
    for _ in range(3):
        assert (await through.get(BLOCKS)).content == data


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbroken header\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"",
    ],
)
async def test_garbage_is_a_bad_gateway_in_the_shape_of_the_family(through, service, garbage):
    async def script(exchange):
        await exchange.send(garbage)
        exchange.cut()

    service.play(script)
    answer = await through.get(BLOCKS)
    assert (answer.status_code, answer.json()["error_code"]) == (502, "upstream_lost")
    assert "developer_message" in answer.json()


async def test_headers_come_back_as_they_were_set(through, service):
    async def script(exchange):
        await exchange.send(
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n"
            b'etag: "x"\r\nserver: inner\r\n'
            b"connection: x-hop\r\nx-hop: 1\r\nkeep-alive: 5\r\nx-lectern-secret: 1\r\n"
            b"content-encoding: identity\r\n\r\nok"
        )

    service.play(script)
    answer = await through.get(BLOCKS)
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert (answer.headers["etag"], answer.headers["content-encoding"]) == ('"x"', "identity")
    for dropped in ("server", "x-hop", "keep-alive", "x-lectern-secret"):
        assert dropped not in answer.headers


@pytest.mark.parametrize(
    "target",
    [
        "/api/courses/v1/courses/course-v1:a+b+c",
        "/api/courses/v1/courses/course-v1%3Aa%2Bb%2Bc/",
        "/api/courses/v1/courses/a%2Fb%2Fc?x=%2B+&y=a%20b&y=%C3%A9",
        "/course/edx://a.b.c/branch/draft/block/x",
        "/c4x/a/b/asset/x%25y.png",
        "/asset-v1:a+b+c+type@asset+block@x.png?a=1&&b",
    ],
)
async def test_path_and_query_arrive_byte_for_byte(dial, service, target):
    service.play()
    async with dial() as (reader, writer):
        writer.write(f"GET {target} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        assert " 200 " in await read_head(reader)
    assert service.seen[0].line == f"GET {target} HTTP/1.1"


async def test_a_service_that_says_nothing_times_out(through, service, monkeypatch):
    """The route's 30 s are too long for a test; the sweep and its answer are shown in test_upstream."""
    started = asyncio.get_running_loop().time()

    async def script(exchange):
        await asyncio.sleep(0.5)
        await exchange.send(service.OK)

    service.play(script)
    assert (await through.get(BLOCKS)).status_code == 200
    assert asyncio.get_running_loop().time() - started > 0.5


@pytest.mark.parametrize("framing", [b"content-length: 200000\r\n\r\n", b"transfer-encoding: chunked\r\n\r\nffff\r\n"])
async def test_an_answer_cut_in_the_middle_never_looks_complete(dial, service, framing):
    async def script(exchange):
        await exchange.send(b"HTTP/1.1 200 OK\r\n" + framing + b"x" * 1000)
        await asyncio.sleep(0.1)
        exchange.cut()

    service.play(script)
    async with dial() as (reader, writer):
        writer.write(f"GET {BLOCKS} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        head = await read_head(reader)
        rest = await asyncio.wait_for(reader.read(), 10)
    assert " 200 " in head
    assert len(rest) < 200_000
    assert not rest.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_upload_arrives_whole(through, service, chunked):
    data = bytes(range(256)) * 12_000
    received = []

    async def script(exchange):
        received.append(await exchange.body())
        await exchange.send(service.OK)

    async def pieces():
        for start in range(0, len(data), 50_000):
            yield data[start : start + 50_000]

    service.play(script)
    headers = {} if chunked else {"content-length": str(len(data))}
    assert (await through.post(IMPORT, content=pieces(), headers=headers)).status_code == 200
    assert received == [data]
    assert (service.seen[0].header("transfer-encoding") == "chunked") is chunked


@pytest.mark.parametrize("content", [b"", b"{}"])
async def test_a_small_body_keeps_its_framing(through, service, content):
    service.play()
    await through.post("/api/enrollment/v1/enrollment", content=content)
    assert service.seen[0].header("content-length") == str(len(content))
    assert service.seen[0].header("expect") is None


async def test_a_body_over_the_limit_is_refused_before_it_is_sent(through, service):
    service.play()
    answer = await through.post("/api/enrollment/v1/enrollment", content=b"x" * 1_000_001)
    assert (answer.status_code, answer.json()["error_code"]) == (413, "too_large")
    assert service.seen == []
    answer = await through.post("/api/accounts/v1/tokens", content=b"x" * 1_000_001)
    assert (answer.status_code, answer.json()["status"]) == (413, 413)


async def test_a_chunked_body_over_the_limit_is_counted_while_it_comes(through, service):
    async def endless():
        for _ in range(100):
            yield b"x" * 50_000

    service.play()
    answer = await through.post("/api/enrollment/v1/enrollment", content=endless())
    assert (answer.status_code, answer.json()["error_code"]) == (413, "too_large")
    assert answer.headers["connection"] == "close"


async def test_an_early_answer_to_an_upload_reaches_the_client(through, service):
    async def script(exchange):
        await exchange.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 5\r\n\r\nlarge")
        while await exchange.reader.read(65_536):
            pass  # as a server does that keeps the connection

    async def pieces():
        for _ in range(60):
            yield b"x" * 50_000
            await asyncio.sleep(0)

    service.play(script)
    answer = await through.post(IMPORT, content=pieces())
    assert (answer.status_code, answer.text) == (413, "large")
    # closed where part of the upload was left unread; a fast client may have sent all of it by then
    assert answer.headers.get("connection", "close") == "close"


async def test_a_slow_service_holds_the_upload_back(through, service, gateway_process):
    before, release = memory_of(gateway_process), asyncio.Event()
    sent = 0

    async def script(exchange):
        await release.wait()
        await exchange.body()
        await exchange.send(service.OK)

    async def pieces():
        nonlocal sent
        for _ in range(600):
            yield b"x" * 100_000
            sent += 100_000

    service.play(script)
    upload = asyncio.create_task(through.post(IMPORT, content=pieces(), headers={"content-length": "60000000"}))
    await asyncio.sleep(0.8)
    assert sent < 30_000_000
    assert memory_of(gateway_process) - before < 12
    release.set()
    assert (await upload).status_code == 200


async def test_a_client_that_does_not_read_holds_the_service_back(dial, service, gateway_process):
    before, sent = memory_of(gateway_process), 0

    async def script(exchange):
        nonlocal sent
        await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 200000000\r\n\r\n")
        for _ in range(2000):
            await exchange.send(b"x" * 100_000)
            sent += 100_000

    service.play(script)
    async with dial() as (reader, writer):
        writer.write(f"GET {BLOCKS} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        assert " 200 " in await read_head(reader)
        await asyncio.sleep(0.8)
        assert sent < 60_000_000
        assert memory_of(gateway_process) - before < 12

    async def aborted():
        return service.closed

    await until(aborted, what="end of the connection to the service")


async def test_a_client_gone_while_it_waits_aborts_the_service(dial, service):
    gone = asyncio.Event()

    async def script(exchange):
        await exchange.reader.read()
        gone.set()

    service.play(script)
    async with dial() as (_, writer):
        writer.write(f"GET {BLOCKS} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
        await asyncio.sleep(0.1)
    await asyncio.wait_for(gone.wait(), 5)


async def test_a_client_gone_in_the_middle_of_an_upload_aborts_the_service(dial, service):
    gone = asyncio.Event()

    async def script(exchange):
        with pytest.raises(asyncio.IncompleteReadError):
            await exchange.body()
        gone.set()

    service.play(script)
    async with dial() as (_, writer):
        writer.write(f"POST {IMPORT} HTTP/1.1\r\nhost: x\r\ncontent-length: 900000\r\n\r\n".encode() + b"x" * 100_000)
        await writer.drain()
        await asyncio.sleep(0.1)
    await asyncio.wait_for(gone.wait(), 5)


async def test_a_hundred_clients_that_leave_do_not_use_up_the_connections(dial, service, through):
    async def script(exchange):
        await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-length: 900000\r\n\r\n" + b"x" * 100_000)
        await exchange.reader.read()

    async def leave():
        async with dial() as (reader, writer):
            writer.write(f"GET {BLOCKS} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
            await reader.read(1000)
            writer.transport.abort()

    async def all_closed():
        return service.live == 0

    service.play(script)
    service.drop_all()
    await until(all_closed)
    await asyncio.gather(*(leave() for _ in range(100)))
    await until(all_closed, what="end of every connection to the service")
    assert service.connections == 100
    service.play()
    answers = await asyncio.gather(*(through.get(BLOCKS) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd", 400),
        (b"POST %b HTTP/1.1\r\nhost: x\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET %b HTTP/1.1\r\nhost: x\r\nx: a\r\n b\r\n\r\n", 400),
        (b"GET %b HTTP/1.1\r\nhost : x\r\n\r\n", 400),
        (b"GET %b HTTP/1.1\r\nhost: x\r\n" + b"".join(b"x-%d: y\r\n" % n for n in range(200)) + b"\r\n", 431),
        (b"GET %b HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 17_000 + b"\r\n\r\n", 431),
        (b"GET %b?" + b"y" * 9_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 414),
    ],
)
async def test_requests_that_could_be_read_in_two_ways_or_are_too_large_go_no_further(
    dial, service, request_bytes, status
):
    service.play()
    async with dial() as (reader, writer):
        writer.write(request_bytes.replace(b"%b", BLOCKS.encode()))
        assert f" {status} " in await read_head(reader)
    assert service.seen == []


async def test_a_request_id_is_kept_when_it_is_harmless(through, service):
    service.play()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = await through.get(BLOCKS, headers={"X-Request-ID": "my-own-id.1", "traceparent": trace})
    assert answer.headers["x-request-id"] == service.seen[0].header("x-request-id") == "my-own-id.1"
    assert service.seen[0].header("traceparent") == trace
    answer = await through.get(BLOCKS, headers={"X-Request-ID": "a b", "traceparent": "x"})
    assert answer.headers["x-request-id"] != "a b"
    assert service.seen[1].header("traceparent") is None


async def test_what_is_not_routed_is_a_problem(through, service):
    service.play()
    for path in ("/nowhere", "/api", "/api/courses/v1/", "/courses/x", "/metricsx", "//api/courses/v1/blocks/"):
        answer = await through.get(path)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "not_found"), path
        assert answer.headers["content-type"] == "application/problem+json"
    assert service.seen == []


async def test_metrics_are_for_the_operator_only(through, service):
    service.play()
    await through.get(BLOCKS)
    answer = await through.get("/metrics")
    assert answer.status_code == 200
    assert 'route="/api/courses/v1/blocks"' in answer.text
    assert "course-v1" not in answer.text
    assert (await through.get("/metrics", headers={"X-Forwarded-For": "192.0.2.1"})).status_code == 404


async def test_a_service_that_is_not_there_is_a_bad_gateway(client):
    answer = await client.get(BLOCKS)
    assert (answer.status_code, answer.json()["error_code"]) == (502, "upstream_unreachable")
    assert answer.headers["retry-after"] == "1"


async def test_the_internal_token_is_the_same_one_again(through, service, staff):
    service.play()
    for _ in range(3):
        await through.get(BLOCKS, headers=staff)
    assert len({exchange.header("x-lectern-identity") for exchange in service.seen}) == 1
    assert json.dumps([exchange.line for exchange in service.seen]).count("GET") == 3
