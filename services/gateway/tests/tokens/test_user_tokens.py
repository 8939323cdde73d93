"""Signing and checking access tokens, without a database."""

import base64
import json
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc import jwt
from joserfc.jwk import RSAKey

from gateway.tokens.user_tokens import Subject, TokenError, TokenExpired, TokenUndecodable, UserTokens

SUBJECT = Subject(7, "ada", "ada@example.com", "Ada", is_staff=False)


def tokens(key, **changes):
    return UserTokens(key, **{"extra_keys": "", "issuer": "me", "audience": "us", "seconds": 60, **changes})


def signed(key, **changes):
    return tokens(key, **changes).sign(SUBJECT, client_id="c", scopes=["read"], grant_type="password")


def test_a_signed_token_says_whose_it_is(token_key):
    grant = tokens(token_key).check(signed(token_key))
    assert (grant.user_id, grant.username, grant.client_id, grant.scopes) == (7, "ada", "c", {"read"})


def test_an_old_token_has_expired_also_when_it_was_seen_before(token_key):
    made = tokens(token_key)
    old = made.sign(SUBJECT, client_id=None, scopes=[], grant_type="password", now=int(time.time()) - 100)
    with pytest.raises(TokenExpired):
        made.check(old)
    short = made.sign(SUBJECT, client_id=None, scopes=[], grant_type="password", now=int(time.time()) - 62)
    assert made.check(short)  # within the leeway
    with pytest.raises(TokenExpired):
        made.check(short)


@pytest.mark.parametrize("change", [{"issuer": "other"}, {"audience": "other"}])
def test_a_token_for_others_is_not_ours(token_key, change):
    with pytest.raises(TokenError):
        tokens(token_key).check(signed(token_key, **change))


def test_a_token_of_the_next_or_last_key_is_accepted(token_key):
    other = RSAKey.generate_key(2048, auto_kid=True)
    token = signed(json.dumps(other.as_dict(private=True)))
    with pytest.raises(TokenUndecodable):
        tokens(token_key).check(token)
    rotating = tokens(token_key, extra_keys=json.dumps({"keys": [other.as_dict(private=False)]}))
    assert rotating.check(token).username == "ada"
    assert len(rotating.key_set()["keys"]) == 2


def forged(key, header, claims):
    """A token with a good signature and any header."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    signature = key.private_key.sign(b".".join(parts), padding.PKCS1v15(), hashes.SHA256())
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


@pytest.mark.parametrize(
    ("header", "good"),
    [
        ({}, True),
        ({"typ": "lectern-internal+jwt"}, False),
        ({"typ": None}, False),
        ({"crit": ["x"], "x": 1}, False),
        ({"alg": "RS512"}, False),
        ({"alg": "HS256"}, False),
        ({"kid": "../../etc"}, False),
        ({"kid": None}, False),
        ({"jku": "http://127.0.0.1:1/", "jwk": {"kty": "RSA"}}, True),
    ],
    ids=str,
)
def test_another_kind_of_token_is_not_taken_for_one(token_key, header, good):
    key = RSAKey.import_key(json.loads(token_key))
    claims = {"iss": "me", "aud": "us", "exp": int(time.time()) + 60, "user_id": 7, "preferred_username": "ada"}
    token = forged(key, {"alg": "RS256", "typ": "at+jwt", "kid": key.kid, **header}, claims)
    if good:  # a key named in the header is not looked at
        assert tokens(token_key).check(token).user_id == 7
    else:
        with pytest.raises(TokenError):
            tokens(token_key).check(token)


@pytest.mark.parametrize("missing", ["exp", "user_id", "preferred_username", "iss"])
def test_a_token_without_an_essential_claim_is_refused(token_key, missing):
    key = RSAKey.import_key(json.loads(token_key))
    claims = {"iss": "me", "aud": "us", "exp": int(time.time()) + 60, "user_id": 7, "preferred_username": "ada"}
    del claims[missing]
    token = jwt.encode({"alg": "RS256", "typ": "at+jwt", "kid": key.kid}, claims, key)
    with pytest.raises(TokenError):
        tokens(token_key).check(token)
