"""Bodies of the access policy routes."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from content.policies.models import Policy


class CoursePolicies(BaseModel):
    """What to change; a policy set to null goes back to the default rule."""

    model_config = ConfigDict(extra="forbid")

    info: Policy | None = Field(None, description="Who reads what the course says about itself; by default everybody.")
    blocks: Policy | None = Field(None, description="Who reads its blocks; by default its learners.")


class BlockPolicy(BaseModel):
    """One block's policy, and those of the blocks above it, which hold too."""

    block: str
    policy: Policy | None
    above: dict[str, Policy]


class CourseAccess(BaseModel):
    """Everything that is set for a course; null where the default rule holds."""

    course_id: str
    info: Policy | None
    blocks: Policy | None
    overrides: dict[str, Policy]


class UnlockKeyOut(BaseModel):
    """An unlock key; `key` is only there in the answer that makes it."""

    id: int
    key: str | None = None
    created_at: datetime | None = None
    created_by: str | None = None
    unlocked: int = 0


class UnlockIn(BaseModel):
    """The key to show."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(min_length=1, max_length=200)


class Unlocked(BaseModel):
    """The course is open to the caller, as far as its policies let holders of a key in."""

    course_id: str
    unlocked: bool
