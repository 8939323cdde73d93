"""Bodies of the course team routes."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class RoleIn(BaseModel):
    """The role to give."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["instructor", "staff"]


class MemberOut(BaseModel):
    """One person on a team."""

    username: str
    user_id: int
    role: Literal["instructor", "staff"]


class TeamOut(BaseModel):
    """Who may change a course."""

    course_id: str
    members: list[MemberOut]
