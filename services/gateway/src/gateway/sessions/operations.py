"""Opening and closing browser sessions."""

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.accounts.models import User
from gateway.sessions.models import Session


async def open_session(session: AsyncSession, user: User, *, now: datetime, hours: int) -> str:
    """The cookie's value. Sessions that are over are cleared on the way."""
    await session.execute(delete(Session).where(Session.expires_at < now))
    value = secrets.token_urlsafe(32)
    session.add(
        Session(
            id_hash=session_hash(value), user_id=user.user_id, created_at=now, expires_at=now + timedelta(hours=hours)
        )
    )
    return value


async def close_session(session: AsyncSession, value: str) -> None:
    await session.execute(delete(Session).where(Session.id_hash == session_hash(value)))


def session_hash(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()
