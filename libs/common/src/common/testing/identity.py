"""Caller headers for tests: a key pair of the test run, tokens signed as the gateway signs them."""

import json
from dataclasses import dataclass

from joserfc.jwk import OKPKey

from common.identity import HEADER, Caller, sign


@dataclass(frozen=True)
class TestKeys:
    """The gateway's internal key pair, played by the test."""

    __test__ = False

    key: OKPKey

    @classmethod
    def generate(cls) -> "TestKeys":
        return cls(OKPKey.generate_key("Ed25519"))

    @property
    def public(self) -> str:
        return json.dumps(self.key.as_dict(private=False))

    @property
    def private(self) -> str:
        return json.dumps(self.key.as_dict(private=True))

    def headers(self, caller: Caller, *, audience: str) -> dict[str, str]:
        return {HEADER: sign(caller, audience=audience, key=self.key)}


def a_caller(
    username: str | None = "alice",
    *,
    user_id: int | None = None,
    staff: bool = False,
    active: bool = True,
    grants: tuple[str, ...] = (),
    org_roles: tuple[tuple[str, str], ...] = (),
    api_key: bool = False,
    email: str | None = None,
    scopes: tuple[str, ...] = (),
) -> Caller:
    """A caller whose user id, unless given, follows from the name."""
    if username is None:
        return Caller(api_key=api_key)
    number = user_id if user_id is not None else sum(username.encode()) + len(username) * 1000
    return Caller(
        username=username,
        user_id=number,
        email=email or f"{username}@example.com",
        is_staff=staff,
        is_active=active,
        scopes=frozenset(scopes),
        creator_grants=grants,
        org_roles=org_roles,
        api_key=api_key,
    )
