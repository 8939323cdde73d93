"""The projection of `content.course_team.changed`."""

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from course_catalog.database import Base


class CourseRole(Base):
    """What a user may do in a course; a role taken away stays as a tombstone."""

    __tablename__ = "course_role"

    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    course_key: Mapped[str] = mapped_column(primary_key=True)
    role: Mapped[str]
    version: Mapped[int] = mapped_column(BigInteger)
    removed: Mapped[bool]
