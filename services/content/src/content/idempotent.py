"""`Idempotency-Key` on our own POSTs: the same request again gets the same answer again, and does nothing."""

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from common import idempotency
from common.app import raw_path
from common.identity import Caller


async def once(
    request: Request, session: AsyncSession, caller: Caller, body: bytes, perform: Callable[[], Awaitable[Response]]
) -> Response:
    """The stored answer to this key, or that of *perform*, stored in the same transaction.

    Raises `KeyReused`, `BadKey`, and whatever *perform* raises; a refusal is not stored.
    """
    key = request.headers.get(idempotency.HEADER)
    if key is None or caller.username is None:
        return await perform()
    fingerprint = idempotency.fingerprint(request.method, raw_path(request).rstrip("/"), body)
    stored = await idempotency.claim(session, caller=caller.username, key=key, fingerprint=fingerprint)
    if stored is not None:
        return Response(stored.body, stored.status, media_type="application/json" if stored.body else None)
    answer = await perform()
    await idempotency.store(
        session, caller=caller.username, key=key, status=answer.status_code, body=bytes(answer.body)
    )
    return answer
