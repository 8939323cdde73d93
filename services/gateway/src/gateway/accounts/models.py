"""Tables of accounts."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from gateway.database import Base
from gateway.events import LinkState, UserState


class User(Base):
    """One account. `version` counts its announced states and never restarts."""

    __tablename__ = "users"

    user_id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    username: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text, default="")
    password_hash: Mapped[str | None] = mapped_column(Text)
    is_active: Mapped[bool] = mapped_column(default=True)
    is_staff: Mapped[bool] = mapped_column(default=False)
    country: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(BigInteger, default=1)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    retired_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    def state(self) -> UserState:
        return UserState(
            user_id=self.user_id,
            username=self.username,
            email=self.email,
            name=self.name,
            is_active=self.is_active,
            is_staff=self.is_staff,
            country=self.country,
            version=self.version,
        )

    def retire(self, now: datetime, *, replacement: str) -> bool:
        """Forget the person; False when that was done before."""
        if self.retired_at:
            return False
        self.username, self.email = replacement, f"{replacement}@retired.invalid"
        self.name, self.country, self.password_hash = "", None, None
        self.is_active = self.is_staff = False
        self.retired_at = now
        self.version += 1
        return True


class ExternalId(Base):
    """An organization's own key for a person. A removed one stays as a tombstone."""

    __tablename__ = "external_ids"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.user_id"))
    organization: Mapped[str] = mapped_column(Text)
    external_key: Mapped[str] = mapped_column(Text)
    version: Mapped[int] = mapped_column(BigInteger, default=1)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    removed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    def remove(self, now: datetime) -> None:
        self.removed_at = now
        self.version += 1

    def state(self, username: str) -> LinkState:
        return LinkState(
            id=self.id,
            user_id=self.user_id,
            username=username,
            organization=self.organization,
            external_key=self.external_key,
            version=self.version,
            removed=self.removed_at is not None,
        )


class OrgRole(Base):
    """A role in every course of an organization."""

    __tablename__ = "org_roles"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.user_id"))
    org: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class CreatorGrant(Base):
    """The right to create courses in an org designation and everything below it."""

    __tablename__ = "creator_grants"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.user_id"))
    designation: Mapped[str] = mapped_column(Text)
    granted_by: Mapped[int | None] = mapped_column(ForeignKey("users.user_id"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


def is_wider(designation: str, other: str) -> bool:
    """`UTCx` is wider than `UTCx.chem`."""
    return other.startswith(f"{designation}.")
