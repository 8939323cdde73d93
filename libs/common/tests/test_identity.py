"""Only the gateway's token, for this service, not expired, of the right kind, is believed."""

import time

import pytest
from joserfc import jwt

from common.identity import ALGORITHM, Caller, InternalTokens, InvalidIdentity, claims_of, grants_cover, sign
from common.testing.identity import TestKeys, a_caller

ADA = a_caller("ada", staff=True, grants=("UTCx.chem",), org_roles=(("MITx", "staff"),))


@pytest.fixture
def tokens(keys):
    return InternalTokens(keys.public, audience="content")


def test_a_signed_caller_comes_back_equal(keys, tokens):
    assert tokens.verify(sign(ADA, audience="content", key=keys.key)) == ADA
    anonymous = tokens.verify(sign(Caller(), audience="content", key=keys.key))
    assert anonymous.is_anonymous


def _token(key, claims, typ="lectern-internal+jwt", alg=ALGORITHM):
    return jwt.encode({"alg": alg, "typ": typ}, claims, key, algorithms=[alg])


def test_what_is_refused(keys, tokens):
    good = claims_of(ADA, audience="content")
    other = TestKeys.generate()
    refused = {
        "missing": None,
        "garbage": "abc.def.ghi",
        "another key": _token(other.key, good),
        "another audience": _token(keys.key, {**good, "aud": "enrollment"}),
        "expired": _token(keys.key, {**good, "exp": int(time.time()) - 60}),
        "no expiry": _token(keys.key, {name: value for name, value in good.items() if name != "exp"}),
        "another issuer": _token(keys.key, {**good, "iss": "somebody"}),
        "another kind": _token(keys.key, good, typ="at+jwt"),
        "unsigned": "eyJhbGciOiJub25lIn0." + _token(keys.key, good).split(".")[1] + ".",
    }
    believed = []
    for name, token in refused.items():
        try:
            tokens.verify(token)
        except InvalidIdentity:
            continue
        believed.append(name)
    assert believed == []


def test_without_a_public_key_nothing_is_believed(keys):
    with pytest.raises(InvalidIdentity):
        InternalTokens("", audience="content").verify(sign(ADA, audience="content", key=keys.key))


@pytest.mark.parametrize(
    ("grants", "org", "number", "covered"),
    [
        (("UTCx",), "UTCx", "101", True),
        (("UTCx.chem",), "UTCx", "chem", True),
        (("UTCx.chem",), "UTCx", "chem.101", True),
        (("UTCx.chem",), "UTCx", "chemistry", False),
        (("UTCx.chem",), "UTCx", "bio", False),
        (("UTC",), "UTCx", "101", False),
        ((), "UTCx", "101", False),
    ],
)
def test_a_grant_covers_its_designation_and_all_below(grants, org, number, covered):
    assert grants_cover(grants, org, number) is covered
