"""What is heard and asked about retirement."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class RetiredHeard(BaseModel):
    """A person who asked to be forgotten."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    user_id: int
    former_username: str
    former_email: str
    username: str
    email: str
    version: int
    retired_at: datetime


class UsersRetired(BaseModel):
    """accounts.user.retired.v1"""

    model_config = ConfigDict(extra="ignore", frozen=True)

    users: tuple[RetiredHeard, ...]


class UnenrollIn(BaseModel):
    """Whom to unenroll everywhere, by the name they had or the one that has replaced it."""

    username: str
