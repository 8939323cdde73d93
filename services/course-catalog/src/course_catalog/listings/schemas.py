"""Bodies of listing rules and marketing."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from common.values import Moment
from course_catalog.bodies import Line, Text, Title
from course_catalog.listings.models import Audience

_DOMAIN = re.compile(r"(?=.{1,253}\Z)[^\W_](?:[\w-]*[^\W_])?(?:\.[^\W_](?:[\w-]*[^\W_])?)*\Z")
# no control characters: one cannot be stored, another stands for the base URL in rendered items
_URL = re.compile(r"(?:https?://|/)[^\s\x00-\x20\x7f\"'<>\\]+\Z")
MOST_NAMES = 10_000


def _domain(text: str) -> str:
    folded = text.casefold().removeprefix("@")
    if not _DOMAIN.match(folded):
        raise ValueError("this is not a domain")
    return folded


def _address(text: str) -> str:
    if not _URL.match(text):
        raise ValueError("this is not an http(s) address or a path of this site")
    return text


Domain = Annotated[Title, AfterValidator(_domain)]
Name = Annotated[Title, AfterValidator(str.casefold)]
Address = Annotated[str, Field(max_length=2000), AfterValidator(_address)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False)


class ListingRule(_Body):
    """Who may find and read about a course. Domains and invitees count for the audience `listed`; any match grants.

    Dates are a further condition for everybody but the course's team and global staff.
    """

    audience: Audience = "open"
    domains: list[Domain] = Field(default=[], max_length=MOST_NAMES)
    """E-mail domains; those below them count too."""
    invitees: list[Name] = Field(default=[], max_length=MOST_NAMES)
    """User names and e-mail addresses, in any case."""
    listed_from: Moment | None = None
    listed_until: Moment | None = None
    only_during_enrollment: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> "ListingRule":
        if self.listed_from and self.listed_until and self.listed_from >= self.listed_until:
            raise ValueError("listed_until must be later than listed_from")
        return self


class ListingRuleOut(ListingRule):
    """The rule of one course."""

    course_id: str
    version: int
    changed_by: str | None
    changed_at: datetime | None


class MarketingTexts(_Body):
    """Shown instead of what the course's authors wrote; null or left out: theirs."""

    name: Title | None = None
    short_description: Annotated[Text, Field(max_length=5000)] | None = None
    overview: Text | None = None
    """HTML; cleaned before anybody sees it as a page."""
    effort: Line | None = None
    image: Address | None = None
    banner_image: Address | None = None
    video: Address | None = None
    marketing_url: Address | None = None


class MarketingOut(MarketingTexts):
    """The marketing of one course."""

    course_id: str
    version: int
    changed_by: str | None
    changed_at: datetime | None
