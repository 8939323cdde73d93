"""Every fact the gateway announces."""

from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from common.messaging import Event

MOST_ITEMS = 500


class UserState(BaseModel):
    """An account as other services may know it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_id: int
    username: str
    email: str
    name: str
    is_active: bool
    is_staff: bool
    country: str | None
    version: int


class UsersChanged(Event):
    """Accounts were made or changed; each item is the account's whole state at its version."""

    type: ClassVar[str] = "accounts.user.changed.v1"
    batch_field: ClassVar[str | None] = "users"

    users: list[UserState] = Field(min_length=1, max_length=MOST_ITEMS)


class RetiredUser(BaseModel):
    """An account whose person asked to be forgotten: the old name, so that readers find what they hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_id: int
    username: str
    retired_username: str
    retired_email: str
    retired_at: datetime
    version: int


class UsersRetired(Event):
    """Every service replaces names and e-mail addresses in what it owns."""

    type: ClassVar[str] = "accounts.user.retired.v1"
    batch_field: ClassVar[str | None] = "users"

    users: list[RetiredUser] = Field(min_length=1, max_length=MOST_ITEMS)


class LinkState(BaseModel):
    """An organization's own key for an account, or the tombstone of one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: int
    user_id: int
    username: str
    organization: str
    external_key: str
    removed: bool
    version: int


class ExternalIdsLinked(Event):
    """Accounts were linked to, or unlinked from, external keys."""

    type: ClassVar[str] = "accounts.external_id.linked.v1"
    batch_field: ClassVar[str | None] = "links"

    links: list[LinkState] = Field(min_length=1, max_length=MOST_ITEMS)
