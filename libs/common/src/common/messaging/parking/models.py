"""The parking lot's table as queries and operations read it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class _Base(DeclarativeBase):
    """Apart from every service's metadata, as the outbox is."""


class ParkedMessage(_Base):
    __tablename__ = "parked_message"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    queue: Mapped[str] = mapped_column(Text)
    message_id: Mapped[UUID]
    type: Mapped[str] = mapped_column(Text)
    exchange: Mapped[str] = mapped_column(Text)
    routing_key: Mapped[str] = mapped_column(Text)
    body: Mapped[bytes]
    headers: Mapped[dict[str, object]] = mapped_column(JSONB)
    correlation_id: Mapped[str | None] = mapped_column(Text)
    reply_to: Mapped[str | None] = mapped_column(Text)
    user_id: Mapped[str | None] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    error: Mapped[str] = mapped_column(Text)
    fingerprint: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int]
    times_parked: Mapped[int]
    first_failed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    parked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    state: Mapped[str] = mapped_column(Text)
    replay_count: Mapped[int]


class ParkedAudit(_Base):
    """Who replayed or discarded what, and why."""

    __tablename__ = "parked_audit"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    parked_id: Mapped[UUID] = mapped_column(ForeignKey("parked_message.id"))
    action: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default="now()")
