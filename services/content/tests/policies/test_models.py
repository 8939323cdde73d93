"""Who a policy lets in: the near-term table, cell by cell."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from content.policies.models import BLOCKS, INFO, Policy, Reader, admits

NOW = datetime(2026, 6, 1, tzinfo=UTC)
READERS = {
    "anonymous": Reader(),
    "authenticated": Reader("ann", "ann@elsewhere.org"),
    "in the domain": Reader("dora", "dora@Example.EDU"),
    "invited": Reader("ina", "ina@elsewhere.org"),
    "with a key": Reader("ken", "ken@elsewhere.org", has_unlocked=True),
    "enrolled": Reader("eve", "eve@elsewhere.org", is_enrolled=True),
    "application": Reader("robot", "robot@elsewhere.org", application="grader"),
}
EVERYBODY = set(READERS)
SIGNED_IN = EVERYBODY - {"anonymous"}
DOMAINS = {"kind": "domains", "domains": ["example.edu"]}
USERS = {"kind": "users", "usernames": ["ina"]}
APPLICATIONS = {"kind": "applications", "applications": ["grader"]}


def a_policy(*audiences, **dates):
    return Policy.model_validate({"audiences": list(audiences), **dates})


@pytest.mark.parametrize(
    ("audiences", "of_blocks", "of_info"),
    [
        ([{"kind": "public"}], EVERYBODY, EVERYBODY),
        ([{"kind": "authenticated"}], SIGNED_IN, SIGNED_IN),
        ([DOMAINS], {"in the domain"}, {"in the domain"}),
        ([USERS, {"kind": "unlock_key"}], {"invited", "with a key", "enrolled"}, {"invited", "with a key"}),
        ([{"kind": "unlock_key"}], {"with a key"}, {"with a key"}),
        ([{"kind": "enrolled"}], {"enrolled"}, {"enrolled"}),
        ([APPLICATIONS], {"application"}, {"application"}),
        ([DOMAINS, APPLICATIONS], {"in the domain", "application"}, {"in the domain", "application"}),
    ],
)
def test_audiences_are_alternatives(audiences, of_blocks, of_info):
    policy = a_policy(*audiences)
    for scope, expected in ((BLOCKS, of_blocks), ("vertical@one", of_blocks), (INFO, of_info)):
        assert {name for name, reader in READERS.items() if admits(policy, reader, NOW, scope=scope)} == expected


@pytest.mark.parametrize(
    ("starts", "ends", "is_open"),
    [
        (None, None, True),
        (NOW, None, True),
        (NOW + timedelta(seconds=1), None, False),
        (None, NOW + timedelta(seconds=1), True),
        (None, NOW, False),
        (NOW - timedelta(days=1), NOW + timedelta(days=1), True),
    ],
)
def test_dates_are_a_condition_on_top(starts, ends, is_open):
    policy = a_policy({"kind": "public"}, starts=starts, ends=ends)
    assert admits(policy, Reader("ann"), NOW, scope=INFO) is is_open
    assert not admits(a_policy(DOMAINS, starts=starts, ends=ends), Reader("ann", "ann@x.org"), NOW, scope=INFO)


@pytest.mark.parametrize(
    ("domain", "email", "is_in"),
    [
        ("example.edu", "a@example.edu", True),
        ("example.edu", "a@alumni.example.edu", False),
        ("*.example.edu", "a@alumni.example.edu", True),
        ("*.example.edu", "a@example.edu", False),
        ("example.edu", "a@notexample.edu", False),
        ("*.example.edu", "a@notexample.edu", False),
        ("example.edu", "example.edu@elsewhere.org", False),
    ],
)
def test_a_domain_is_the_whole_of_it_or_what_is_below(domain, email, is_in):
    policy = a_policy({"kind": "domains", "domains": [domain]})
    assert admits(policy, Reader("a", email), NOW, scope=INFO) is is_in


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"audiences": []},
        {"audiences": [{"kind": "everybody"}]},
        {"audiences": ["public"]},
        {"audiences": [{"kind": "public", "but": "x"}]},
        {"audiences": [{"kind": "domains", "domains": []}]},
        {"audiences": [{"kind": "domains", "domains": ["no domain"]}]},
        {"audiences": [{"kind": "domains", "domains": ["edu"]}]},
        {"audiences": [{"kind": "users", "usernames": ["a\x00b"]}]},
        {"audiences": [{"kind": "users", "usernames": [7]}]},
        {"audiences": [{"kind": "public"}], "starts": "soon"},
        {"audiences": [{"kind": "public"}], "starts": "2026-01-01T00:00:00"},
        {"audiences": [{"kind": "public"}], "starts": "2026-02-01T00:00:00Z", "ends": "2026-01-01T00:00:00Z"},
        {"audiences": [{"kind": "public"}], "until": "2026-01-01T00:00:00Z"},
    ],
)
def test_what_is_no_policy_is_refused(body):
    with pytest.raises(ValidationError):
        Policy.model_validate(body)
