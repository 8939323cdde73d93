"""Every fact the gateway announces."""

from datetime import datetime
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from common.messaging import Event
from common.messaging.announcing import Continue, StateAnnounced

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
    """Accounts were made, changed or retired (then under new names); each item is the whole state at its version."""

    type: ClassVar[str] = "accounts.user.changed.v1"
    batch_field: ClassVar[str | None] = "users"

    users: list[UserState] = Field(min_length=1, max_length=MOST_ITEMS)


class RetiredUser(BaseModel):
    """Whose names are to be replaced wherever they stand, and by what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_id: int
    former_username: str
    former_email: str
    username: str
    email: str
    version: int
    retired_at: datetime


class UsersRetired(Event):
    """People asked to be forgotten: every service replaces their names and e-mails in what it owns."""

    type: ClassVar[str] = "accounts.user.retired.v1"
    batch_field: ClassVar[str | None] = "users"

    users: list[RetiredUser] = Field(min_length=1, max_length=MOST_ITEMS)


class LinkState(BaseModel):
    """Whose key it is in an organization, at a version; `removed` is the tombstone, then the key may be a placeholder.

    A key that passes to another account is a new link with an id of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: int
    user_id: int
    username: str
    organization: str
    external_key: str
    version: int
    removed: bool = False


class ExternalIdsLinked(Event):
    """Organizations' own keys were linked to accounts, or their links were removed."""

    type: ClassVar[str] = "accounts.external_id.linked.v1"
    batch_field: ClassVar[str | None] = "links"

    links: list[LinkState] = Field(min_length=1, max_length=MOST_ITEMS)


class GatewayAnnounced(StateAnnounced):
    """A page of this service's state for whoever asked; the last one has no items, but the number of pages."""

    type: ClassVar[str] = "gateway.announced.v1"


class AnnounceAgain(Continue):
    """Go on with the next page."""

    type: ClassVar[str] = "gateway.announce.v1"
