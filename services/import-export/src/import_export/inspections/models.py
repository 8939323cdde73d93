"""What was found in a course, at one version of its draft."""

from datetime import datetime

from sqlalchemy import DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from import_export.database import Base
from import_export.tasks.models import Json


class Inspection(Base):
    """The newest of a course."""

    __tablename__ = "inspection"

    course_id: Mapped[str] = mapped_column(primary_key=True)
    draft_guid: Mapped[str]
    findings: Mapped[Json] = mapped_column(JSONB)
    made_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
