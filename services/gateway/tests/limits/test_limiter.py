"""Limits as callers meet them. The services do not answer: a 502 is a request that was let through."""

import asyncio
import shutil

import pytest

from common.identity import Caller
from common.testing.waiting import until
from gateway.limits.limiter import Limiter
from gateway.limits.policy import read_policy
from gateway.limits.redis_windows import RedisWindows
from gateway.settings import Settings

ENROLLMENT, COURSES = "/api/enrollment/v1/enrollment", "/api/courses/v1/courses/"


@pytest.fixture
async def limited(make_gateway):
    """A gateway with fresh counters."""
    return await make_gateway(rate_limits="on")


async def let_through(limited, path, headers, *, most=200):
    """How many requests pass before the first 429, and that answer."""
    for passed in range(most):
        answer = await limited.get(path, headers=headers)
        if answer.status_code == 429:
            return passed, answer
        assert answer.status_code == 502
    return most, None


async def test_one_count_is_shared_and_each_class_has_its_own_limit(limited, a_user):
    learner = (await a_user("busy"))["headers"]
    passed, refused = await let_through(limited, COURSES, learner)
    assert passed == 20
    assert refused.json()["developer_message"].startswith("Request was throttled. Expected available in ")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit-policy"] == '"catalogue";q=20;w=60'
    assert refused.headers["ratelimit"].startswith('"catalogue";r=0;t=')
    passed, refused = await let_through(limited, ENROLLMENT, learner)
    assert passed == 20  # 40 in all
    wait = refused.headers["retry-after"]
    assert refused.json()["detail"] == f"Request was throttled. Expected available in {wait} seconds."
    beyond = await limited.get(COURSES, headers=learner)
    assert beyond.json()["developer_message"] == "Request was throttled."
    assert 0 < int(beyond.headers["retry-after"]) <= 60
    on_the_list = await limited.get("/api/enrollment/v1/enrollments", headers=learner)
    assert on_the_list.json()["developer_message"].startswith("Request was throttled")


async def test_staff_have_more_and_the_api_key_is_not_counted(limited, staff, values):
    passed, _ = await let_through(limited, ENROLLMENT, staff)
    assert passed == 120
    passed, refused = await let_through(limited, ENROLLMENT, {"X-Edx-Api-Key": str(values["edx_api_key"])}, most=50)
    assert refused is None
    passed, refused = await let_through(limited, ENROLLMENT, {"X-Edx-Api-Key": "wrong"})
    assert (passed, refused.status_code) == (40, 429)


async def test_answers_of_limited_routes_say_what_is_left(limited, a_user):
    learner = (await a_user("informed"))["headers"]
    first = await limited.get(ENROLLMENT, headers=learner)
    assert first.headers["ratelimit-policy"] == '"enrollment";q=40;w=60'
    assert first.headers["ratelimit"] == '"enrollment";r=39;t=60'
    free = await limited.get("/api/courses/v1/blocks/", headers=learner)
    assert "ratelimit" not in free.headers


async def test_the_address_in_a_forged_header_is_not_believed(limited):
    for number in range(20):
        answer = await limited.get(COURSES, headers={"X-Forwarded-For": f"192.0.2.{number}"})
        assert answer.status_code == 502
    assert (await limited.get(COURSES, headers={"X-Forwarded-For": "192.0.2.99"})).status_code == 429


async def test_an_escaped_letter_is_no_way_round(limited):
    for _ in range(20):
        await limited.get("/api/courses/v1/courses/")
    assert (await limited.get("/api/courses/v1/course%73/")).status_code == 429


async def test_the_token_endpoint_is_limited_by_address(limited, credentials):
    answers = [(await limited.post("/oauth2/access_token", data={})).status_code for _ in range(121)]
    assert set(answers[:120]) == {401}
    assert answers[120] == 429


async def test_failed_logins_are_limited_and_good_ones_are_not_counted(limited, credentials, a_user):
    await a_user("guessed", password="open sesame")
    good = {**credentials, "grant_type": "password", "username": "guessed", "password": "open sesame"}
    for _ in range(3):
        assert (await limited.post("/oauth2/access_token", data=good)).status_code == 200
    wrong = {**good, "password": "guess", "username": "nobody"}
    for _ in range(20):
        assert (await limited.post("/oauth2/access_token", data=wrong)).status_code == 400
    answer = await limited.post("/oauth2/access_token", data=good)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


async def test_limits_can_be_switched_off(client):
    for _ in range(60):
        answer = await client.get(COURSES)
        assert answer.status_code == 502
    assert "ratelimit" not in answer.headers


@pytest.fixture
async def redis(tmp_path):
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("redis-server is not installed")
    socket = tmp_path / "redis.sock"
    process = await asyncio.create_subprocess_exec(
        binary, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(tmp_path), "--daemonize", "no",
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip

    async def up():
        return socket.exists()

    await until(up)
    yield process, f"redis+unix://{socket}"
    if process.returncode is None:
        process.kill()
        await process.wait()


async def test_two_gateways_count_together_in_redis_and_go_on_without_it(redis):
    process, url = redis
    policy = read_policy(Settings.model_fields["rate_policy_file"].default)
    one, two = (Limiter(policy, shared=RedisWindows(url)) for _ in range(2))
    rate, caller = policy.classes["catalogue"], Caller(username="a", user_id=1)
    for number in range(20):
        decision = await (one, two)[number % 2].decide(rate, caller, address="x")
        assert decision.allowed
        assert decision.headers[1][1].startswith(b'"catalogue";r=%d;' % (19 - number))
    refused = await two.decide(rate, caller, address="x")
    assert not refused.allowed
    assert 0 < refused.retry_after <= 60
    more = await one.decide(policy.classes["enrollment"], caller, address="x")
    assert more.allowed
    assert more.headers[1][1].startswith(b'"enrollment";r=19;')
    assert (await one.decide(rate, caller, address="x")).message == "Request was throttled."

    process.kill()
    await process.wait()
    fallback = await one.decide(rate, caller, address="x")
    assert fallback.allowed  # counted here from now on
    closed = await one.decide(policy.classes["token"], Caller(), address="x")
    assert (closed.allowed, closed.unavailable) == (False, True)
