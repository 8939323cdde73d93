"""The projection of `accounts.user.changed`, and who a request looks at the catalogue as."""

from dataclasses import dataclass

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from course_catalog.database import Base


class Account(Base):
    """One account, as of the newest version heard."""

    __tablename__ = "account"

    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    username: Mapped[str] = mapped_column(index=True)
    is_active: Mapped[bool]
    is_staff: Mapped[bool]
    version: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose view of the catalogue is asked for. Without a user id: everybody's."""

    user_id: int | None = None
    sees_all: bool = False
    orgs: tuple[str, ...] = ()
    """Organizations, case folded, in whose every course the viewer has a role."""
    instructor_orgs: tuple[str, ...] = ()


ANYBODY = Viewer()
