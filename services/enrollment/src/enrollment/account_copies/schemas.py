"""What enrollment reads of `accounts.user.changed.v1`."""

from pydantic import BaseModel, ConfigDict


class UserHeard(BaseModel):
    """An account's state at a version."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    user_id: int
    username: str
    email: str
    name: str | None = None
    is_active: bool = True
    is_staff: bool = False
    country: str | None = None
    version: int


class UsersChanged(BaseModel):
    """accounts.user.changed.v1"""

    model_config = ConfigDict(extra="ignore", frozen=True)

    users: tuple[UserHeard, ...]
