"""The projection of `accounts.user.changed`, and who a request looks at the catalogue as."""

from dataclasses import dataclass
from typing import TypedDict, Unpack

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from course_catalog.database import Base


class Account(Base):
    """One account, as of the newest version heard."""

    __tablename__ = "account"

    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    username: Mapped[str] = mapped_column(index=True)
    email: Mapped[str]
    is_active: Mapped[bool]
    is_staff: Mapped[bool]
    version: Mapped[int] = mapped_column(BigInteger)


class _Rights(TypedDict, total=False):
    sees_all: bool
    orgs: tuple[str, ...]
    instructor_orgs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose view of the catalogue is asked for. Without a user id: everybody's."""

    user_id: int | None = None
    sees_all: bool = False
    orgs: tuple[str, ...] = ()
    """Organizations, case folded, in whose every course the viewer has a role."""
    instructor_orgs: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    """What an invitation may call the viewer: user name and e-mail address, case folded."""
    domains: tuple[str, ...] = ()
    """The domain of the address and those above it."""

    @classmethod
    def named(cls, user_id: int, username: str, email: str | None, **more: Unpack[_Rights]) -> "Viewer":
        """Somebody, with what an invitation may call them."""
        address = (email or "").casefold()
        domain = address.rpartition("@")[2]
        parts = domain.split(".") if domain else []
        return cls(
            user_id=user_id,
            names=tuple(name for name in (username.casefold(), address) if name),
            domains=tuple(".".join(parts[start:]) for start in range(len(parts))),
            **more,
        )


ANYBODY = Viewer()
