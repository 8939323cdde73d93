"""`Idempotency-Key` on our own POSTs: the answer is stored in the request's transaction, given again for 24 h."""

import hashlib
import re
from dataclasses import dataclass

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from common.errors import Invalid, Unprocessable

HEADER = "idempotency-key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
_CLAIM = text(
    """insert into idempotency_key (caller, key, fingerprint) values (:caller, :key, :fingerprint)
       on conflict (caller, key) do update set fingerprint = :fingerprint, status = null, body = null,
         created_at = now()
         where idempotency_key.created_at < now() - interval '24 hours'
       returning key"""
)
_FIND = text("select fingerprint, status, body from idempotency_key where caller = :caller and key = :key")
_STORE = text("update idempotency_key set status = :status, body = :body where caller = :caller and key = :key")


class KeyReused(Unprocessable):
    """This Idempotency-Key was used for another request."""

    code = "idempotency_key_reused"


class BadKey(Invalid):
    """An Idempotency-Key is 1 to 255 printable characters."""

    code = "bad_idempotency_key"


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer given the first time."""

    status: int
    body: bytes


def fingerprint(method: str, path: str, body: bytes) -> str:
    """What makes two requests the same."""
    return hashlib.sha256(b"\0".join((method.encode(), path.encode(), body))).hexdigest()


async def claim(session: AsyncSession, *, caller: str, key: str, fingerprint: str) -> Stored | None:
    """None when the key is new (now claimed in this transaction), else the stored answer.

    A second request with the same key waits on the row until the first has committed. Raises `KeyReused`, `BadKey`.
    """
    if not _KEY.match(key):
        raise BadKey
    values = {"caller": caller, "key": key, "fingerprint": fingerprint}
    if (await session.execute(_CLAIM, values)).first():
        return None
    row = (await session.execute(_FIND, {"caller": caller, "key": key})).one()
    if row.fingerprint != fingerprint or row.status is None:
        raise KeyReused
    return Stored(row.status, bytes(row.body))


async def store(session: AsyncSession, *, caller: str, key: str, status: int, body: object) -> None:
    """Keep the answer; the caller's transaction carries it."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    await session.execute(_STORE, {"caller": caller, "key": key, "status": status, "body": data})
