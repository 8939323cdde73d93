"""Access policies and the question they answer. No I/O.

The near-term table of the authorization design: audiences are alternatives, dates are a condition on top of them, and a
block is never more open than what is above it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from common.values import without_nul

# What a policy may be about; a block's scope is its local id (`vertical@intro`).
INFO = "info"
BLOCKS = "blocks"


_Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=254), AfterValidator(without_nul)
]
_Domain = Annotated[str, StringConstraints(pattern=r"^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+$", max_length=253)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Public(_Part):
    """Everybody, also without an account."""

    kind: Literal["public"]


class Authenticated(_Part):
    """Everybody with an account."""

    kind: Literal["authenticated"]


class Enrolled(_Part):
    """The learners of the course."""

    kind: Literal["enrolled"]


class Domains(_Part):
    """Whoever's e-mail address is in one of these domains; `*.example.edu` means those below it."""

    kind: Literal["domains"]
    domains: list[_Domain] = Field(min_length=1, max_length=200)


class Users(_Part):
    """Named people; of blocks the learners of the course too, since registering is how one is named there."""

    kind: Literal["users"]
    usernames: list[_Text] = Field(max_length=2000)


class UnlockKey(_Part):
    """Whoever has shown one of the course's unlock keys."""

    kind: Literal["unlock_key"]


class Applications(_Part):
    """Programs, by the id of their API client or token (`token:<id>`), whoever they act for: graders, say."""

    kind: Literal["applications"]
    applications: list[_Text] = Field(min_length=1, max_length=200)


Audience = Annotated[
    Public | Authenticated | Enrolled | Domains | Users | UnlockKey | Applications, Field(discriminator="kind")
]


class Policy(_Part):
    """Any one of the audiences, within the dates."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    audiences: list[Audience] = Field(min_length=1, max_length=20)
    starts: AwareDatetime | None = None
    ends: AwareDatetime | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "Policy":
        if self.starts and self.ends and self.ends <= self.starts:
            raise ValueError("A policy ends after it starts.")
        return self


@dataclass(frozen=True, slots=True)
class Reader:
    """What a policy asks about somebody."""

    username: str | None = None
    email: str | None = None
    is_enrolled: bool = False
    has_unlocked: bool = False
    application: str | None = None


def admits(policy: Policy, reader: Reader, now: datetime, *, scope: str) -> bool:
    """Does *policy* let this reader in? The team is not asked: it always reads."""
    if (policy.starts and now < policy.starts) or (policy.ends and now >= policy.ends):
        return False
    return any(_is_in(audience, reader, scope) for audience in policy.audiences)


def admits_block(policies: Mapping[str, Policy], block_id: str, reader: Reader, now: datetime) -> bool:
    """Does the block's own policy, if it has one, admit this reader? Those above it are asked by whoever walks down."""
    policy = policies.get(block_id)
    return policy is None or admits(policy, reader, now, scope=block_id)


def _is_in(audience: Audience, reader: Reader, scope: str) -> bool:
    match audience:
        case Public():
            return True
        case Authenticated():
            return reader.username is not None
        case Enrolled():
            return reader.is_enrolled
        case Domains():
            return reader.email is not None and _in_domain(reader.email, audience.domains)
        case Users():
            return reader.username in audience.usernames or (scope != INFO and reader.is_enrolled)
        case UnlockKey():
            return reader.has_unlocked
        case Applications():
            return reader.application is not None and reader.application in audience.applications


def _in_domain(email: str, domains: list[str]) -> bool:
    place = email.rpartition("@")[2].lower()
    return any(
        place.endswith(domain[1:]) and place != domain[2:] if domain.startswith("*.") else place == domain
        for domain in domains
    )


def read_policies(stored: Mapping[str, object] | None) -> dict[str, Policy]:
    """Policies as the table holds them, by scope."""
    return {scope: Policy.model_validate(body) for scope, body in (stored or {}).items()}
