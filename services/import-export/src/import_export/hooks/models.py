"""Hooks and pushes, and the rules for what a hook believes."""

import hashlib
import hmac
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from import_export.database import Base
from import_export.tasks.models import Json

# What has no commit: GitHub names it as the head of a branch that was deleted.
NO_COMMIT = "0" * 40


class PushState(StrEnum):
    """How far a push has come; from `imported` on its task tells the rest."""

    QUEUED = "queued"
    FETCHING = "fetching"
    IMPORTED = "imported"
    FAILED = "failed"
    CANCELED = "canceled"


class Hook(Base):
    """A course that follows a branch of a repository. Imports run with the rights of whoever made the hook."""

    __tablename__ = "hook"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    course_id: Mapped[str]
    spelling: Mapped[str]
    repository: Mapped[str]
    branch: Mapped[str]
    path: Mapped[str]
    secret: Mapped[str]
    options: Mapped[Json] = mapped_column(JSONB)
    requested_by: Mapped[Json] = mapped_column(JSONB)
    requester_id: Mapped[int | None] = mapped_column(BigInteger)
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class Push(Base):
    """One commit that a hook was told of; told again, it is the same push."""

    __tablename__ = "hook_push"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    hook_id: Mapped[UUID] = mapped_column(ForeignKey("hook.id", ondelete="CASCADE"))
    sha: Mapped[str]
    message: Mapped[str | None]
    pusher: Mapped[str | None]
    state: Mapped[str]
    log: Mapped[list[Json]] = mapped_column(JSONB, default=list)
    task_id: Mapped[UUID]
    attempts: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[UUID | None]
    lease_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    retry_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    def note(self, text: str, *, now: datetime) -> None:
        """One more line of the push's log."""
        self.log = [*self.log, {"at": now.isoformat(timespec="milliseconds"), "text": text[:2000]}]

    def finish(self, state: PushState, *, now: datetime) -> None:
        self.state = state.value
        self.lease_owner = self.lease_until = self.retry_at = None
        self.finished_at = now


def sign(secret: str, body: bytes) -> str:
    """What `X-Hub-Signature-256` and `X-Signature-256` have to say."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def is_signed(secret: str, body: bytes, shown: str | None) -> bool:
    return shown is not None and hmac.compare_digest(sign(secret, body).encode(), shown.strip().lower().encode())


def without_credentials(address: str) -> str:
    """The address as it may be shown: a password or token in it stays with us."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def same_repository(address: str, named: str) -> bool:
    """Do two addresses mean one repository, whatever their scheme, user, case and ending?"""
    try:
        return _plain(address) == _plain(named)
    except ValueError:  # half an IPv6 address, which is none of a repository
        return False


def _plain(address: str) -> str:
    if "://" not in address and ":" in address:  # git@host:owner/name.git
        host, _, path = address.partition(":")
        address = f"ssh://{host}/{path}"
    parts = urlsplit(address)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}".removesuffix("/").removesuffix(".git").casefold()
