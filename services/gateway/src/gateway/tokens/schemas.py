"""Bodies of the token and client API."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from common.values import Moment
from gateway.accounts.schemas import Name255, Username

CENTURY = 100 * 365 * 24 * 3600
Scope = Annotated[str, StringConstraints(pattern=r"^[\w.:\-]{1,100}$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewApiToken(_Body):
    """A token to make; without `expires_in` (seconds) or `expires_at` it is good until deleted."""

    username: Username
    scopes: Annotated[list[Scope], Field(max_length=50)] | None = None
    expires_in: Annotated[int, Field(strict=True, ge=1, le=CENTURY)] | None = None
    expires_at: Moment | None = None

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if self.expires_in is not None and self.expires_at is not None:
            raise ValueError("Give expires_in or expires_at, not both.")
        return self

    @property
    def end(self) -> datetime | None:
        if self.expires_in is None:
            return self.expires_at
        return datetime.now(UTC) + timedelta(seconds=self.expires_in)


class ApiTokenOut(BaseModel):
    """A token without its secret."""

    id: str
    username: str
    scopes: list[str]
    expires_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


class ApiTokenMade(ApiTokenOut):
    """A new token; the secret is shown this once."""

    token: str


class NewClient(_Body):
    """An OAuth2 client to make, acting as one account."""

    name: Name255
    username: Username
    scopes: Annotated[list[Scope], Field(max_length=50)] | None = None


class ClientOut(BaseModel):
    """A client without its secret."""

    client_id: str
    name: str
    username: str
    scopes: list[str]
    created_at: datetime


class ClientMade(ClientOut):
    """A new client; the secret is shown this once."""

    client_secret: str


class UserInfo(BaseModel):
    """Who somebody is, as upstream's mobile API says it."""

    id: int
    username: str
    email: str
    name: str


class AccessTokenOut(BaseModel):
    """The token endpoint's answer."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str
    refresh_token: str | None = None
