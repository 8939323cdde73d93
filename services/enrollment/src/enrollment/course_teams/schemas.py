"""What enrollment reads of `content.course_team.changed.v1`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from enrollment.course_copies.schemas import HeardKey


class MemberHeard(BaseModel):
    """One account's place on the team; `removed` is the tombstone."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    user_id: int
    username: str
    role: Literal["instructor", "staff"]
    version: int
    removed: bool = False


class TeamChanged(BaseModel):
    """content.course_team.changed.v1"""

    model_config = ConfigDict(extra="ignore", frozen=True)

    course_id: HeardKey
    members: tuple[MemberHeard, ...]
