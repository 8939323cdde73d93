"""Bodies of the accounts API."""

from datetime import datetime
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, StringConstraints

Item = TypeVar("Item")


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("control characters are not allowed")
    return text


# a comma ends the username in the enrollment API's paths, so it cannot be part of one
Username = Annotated[str, StringConstraints(min_length=1, max_length=150, pattern=r"^[\w.@+\-]+$")]
Email = Annotated[
    str, StringConstraints(max_length=254, pattern=r"^[^@\s,;<>\"]+@[^@\s,;<>\"]+$"), AfterValidator(_printable)
]
Text255 = Annotated[str, StringConstraints(max_length=255, strip_whitespace=True), AfterValidator(_printable)]
Name255 = Annotated[
    str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True), AfterValidator(_printable)
]
Password = Annotated[SecretStr, Field(min_length=8, max_length=128)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2}$", to_upper=True)]
Org = Annotated[str, StringConstraints(max_length=255, pattern=r"^[\w\-~.:]+$")]
Designation = Annotated[str, StringConstraints(max_length=255, pattern=r"^[\w\-~:]+(\.[\w\-~:]+)*$")]
Role = Annotated[str, StringConstraints(max_length=50, pattern=r"^[a-z][a-z_]*$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewUser(_Body):
    """An account to make. Without a password it can be used by tokens and clients only."""

    username: Username
    email: Email
    name: Text255 = ""
    password: Password | None = None
    is_staff: bool = False
    is_active: bool = True
    country: Country | None = None


def _as_list(body: object) -> object:
    return [body] if isinstance(body, dict) else body


NewUsers = Annotated[list[NewUser], BeforeValidator(_as_list, json_schema_input_type=NewUser | list[NewUser])]


class UserChanges(_Body):
    """What to change; what is left out stays."""

    email: Email | None = None
    name: Text255 | None = None
    password: Password | None = None
    is_staff: bool | None = None
    is_active: bool | None = None
    country: Country | None = None


class UserOut(BaseModel):
    """An account."""

    model_config = ConfigDict(from_attributes=True)

    user_id: int
    username: str
    email: str
    name: str
    is_active: bool
    is_staff: bool
    country: str | None
    created_at: datetime
    retired_at: datetime | None


class NewExternalId(_Body):
    """A key under which an organization knows a person."""

    username: Username
    organization: Org
    external_key: Name255


class ExternalIdOut(BaseModel):
    """A linked external id."""

    id: int
    username: str
    organization: str
    external_key: str
    created_at: datetime


class NewOrgRole(_Body):
    """A role in every course of an organization."""

    username: Username
    org: Org
    role: Role


class OrgRoleOut(BaseModel):
    """An org role."""

    id: int
    username: str
    org: str
    role: str
    created_at: datetime


class NewCreatorGrant(_Body):
    """The right to create courses under a designation (`UTCx`, `UTCx.chem`) and below."""

    username: Username
    designation: Designation


class CreatorGrantOut(BaseModel):
    """A creator grant."""

    id: int
    username: str
    designation: str
    granted_by: str | None
    created_at: datetime


class PageOut(BaseModel):
    """Where this page is among all."""

    count: int
    num_pages: int
    next: str | None
    previous: str | None


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    pagination: PageOut
    results: list[Item]
