"""The policy file: what it means and what it refuses."""

import pytest

from common.identity import Caller
from gateway.limits.limiter import Limiter, network_of
from gateway.limits.policy import PolicyError, read_policy
from gateway.settings import Settings

DEFAULT = Settings.model_fields["rate_policy_file"].default
GOOD = {"counter": "c", "key": "user", "seconds": 60, "limits": {"user": 1}, "routes": ["/x"]}


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/api/enrollment/v1/enrollment", "enrollment"),
        ("POST", "/api/enrollment/v1/enrollment/", "enrollment"),
        ("GET", "/api/enrollment/v1/enrollment/alice,course-v1:a+b+c", "enrollment"),
        ("GET", "/api/enrollment/v1/enrollments", "enrollment"),
        ("GET", "/api/enrollment/v1/course/course-v1:a+b+c", "enrollment"),
        ("GET", "/api/enrollment/v1/roles/", "enrollment"),
        ("DELETE", "/api/enrollment/v1/enrollment_allowed/", "enrollment"),
        ("POST", "/api/bulk_enroll/v1/bulk_enroll", "enrollment"),
        ("POST", "/api/enrollment/v1/unenroll/", None),
        ("GET", "/api/courses/v1/courses/", "catalogue"),
        ("GET", "/api/courses/v1/courses", "catalogue"),
        ("GET", "/api/courses/v1/courses/course-v1:a+b+c", None),
        ("GET", "/api/courses/v1/course_ids/", "course_ids"),
        ("GET", "/api/courses/v1/blocks/", None),
        ("POST", "/oauth2/access_token/", "token"),
        ("GET", "/oauth2/access_token", None),
        ("GET", "/api/course_modes/v1/courses/x/", None),
    ],
)
def test_the_default_policy_limits_what_upstream_limits(method, path, name):
    rate = read_policy(DEFAULT).find(method, path)
    assert (rate.name if rate else None) == name


def test_the_default_numbers_are_upstreams():
    classes = read_policy(DEFAULT).classes
    learner, staff = Caller(username="a", user_id=1), Caller(username="b", user_id=2, is_staff=True)
    numbers = {name: tuple(rate.limit(who) for who in (Caller(), learner, staff)) for name, rate in classes.items()}
    assert numbers["enrollment"] == (40, 40, 120)
    assert numbers["catalogue"] == numbers["course_ids"] == (20, 20, 40)
    assert len({classes[name].counter for name in ("enrollment", "catalogue", "course_ids")}) == 1


@pytest.mark.parametrize(
    ("on", "limits"),
    [
        ((), (20, 20, 40)),
        (("rate_limit_2_for_course_list_api",), (2, 2, 10)),
        (("rate_limit_10_for_course_list_api",), (10, 10, 20)),
        (("rate_limit_10_for_course_list_api", "rate_limit_2_for_course_list_api"), (2, 2, 10)),
    ],
)
def test_switches_lower_the_limits_of_the_course_list_only(tmp_path, on, limits):
    import yaml

    policy = yaml.safe_load(DEFAULT.read_text())
    policy["switches"] |= dict.fromkeys(on, True)
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(policy, sort_keys=False))
    classes = read_policy(file).classes
    numbers = {name: (rate.anonymous, rate.user, rate.staff) for name, rate in classes.items()}
    assert numbers["catalogue"] == limits
    assert (numbers["course_ids"], numbers["enrollment"]) == ((20, 20, 40), (40, 40, 120))


async def test_with_the_switch_on_the_third_list_a_minute_is_refused_and_ids_are_not(tmp_path):
    import yaml

    policy = yaml.safe_load(DEFAULT.read_text())
    policy["switches"]["rate_limit_2_for_course_list_api"] = True
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(policy, sort_keys=False))
    limiter, caller = Limiter(read_policy(file)), Caller(username="a", user_id=1)

    async def allowed(path):
        return (await limiter.decide(limiter.rate_class("GET", path), caller, address="x")).allowed

    assert [await allowed("/api/courses/v1/courses/") for _ in range(3)] == [True, True, False]
    assert await allowed("/api/courses/v1/course_ids/")
    assert not await allowed("/api/courses/v1/courses/")


@pytest.mark.parametrize(
    "classes",
    [
        {"a": {**GOOD, "surprise": 1}},
        {"a": {**GOOD, "when": {"no_such_switch": {"user": 1}}}},
        {"a": {**GOOD, "limits": {"staff": 1}}},
        {"a": {**GOOD, "limits": {"user": 0}}},
        {"a": {**GOOD, "key": "tenant"}},
        {"a": {**GOOD, "routes": ["GET POST /x"]}},
        {"a": {**GOOD, "routes": ["x"]}},
        {"a": GOOD, "b": {**GOOD, "seconds": 30}},
        {"a": {**GOOD, "counter": "No spaces"}},
    ],
    ids=str,
)
def test_a_wrong_policy_is_refused_whole(tmp_path, classes):
    import yaml

    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump({"classes": classes}))
    with pytest.raises(PolicyError):
        read_policy(file)


def test_a_missing_or_broken_policy_file_is_named(tmp_path):
    with pytest.raises(PolicyError, match="nowhere"):
        read_policy(tmp_path / "nowhere.yaml")
    (tmp_path / "broken.yaml").write_text("classes: [")
    with pytest.raises(PolicyError, match="broken"):
        read_policy(tmp_path / "broken.yaml")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:0db8:0001:0002::/64"),
        ("2001:db8:1:2::9", "2001:0db8:0001:0002::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80:0000:0000:0000::/64"),
        ("no:address", "no:address"),
        ("", ""),
    ],
)
def test_an_ipv6_caller_is_its_network(address, network):
    assert network_of(address) == network


async def test_a_client_key_counts_each_client_by_itself(tmp_path):
    import yaml

    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump({"classes": {"a": {**GOOD, "key": "client"}}}))
    limiter = Limiter(read_policy(file))
    rate, caller = limiter.rate_class("GET", "/x"), Caller(username="a", user_id=1)
    assert (await limiter.decide(rate, caller, address="x", client="one")).allowed
    assert (await limiter.decide(rate, caller, address="x", client="two")).allowed
    assert not (await limiter.decide(rate, caller, address="y", client="one")).allowed
