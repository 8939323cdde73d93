"""`Idempotency-Key` on our own POSTs: the whole answer, kept in the transaction of the change."""

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from common import idempotency
from common.app import raw_path
from common.identity import Caller

OWN = "/api/content/v1/"


async def once(
    request: Request, session: AsyncSession, caller: Caller, body: bytes, run: Callable[[], Awaitable[Response]]
) -> Response:
    """The answer of *run*, or the one given the first time this key was used. Without a key, or a name, simply run.

    Raises `KeyReused`, `BadKey`, and what *run* raises (nothing is kept then).
    """
    key = request.headers.get(idempotency.HEADER)
    if key is None or caller.username is None or not request.url.path.startswith(OWN):
        return await run()
    fingerprint = idempotency.fingerprint(request.method, raw_path(request), body)
    stored = await idempotency.claim(session, caller=caller.username, key=key, fingerprint=fingerprint)
    if stored is not None:
        return Response(stored.body, stored.status, media_type="application/json")
    answer = await run()
    await idempotency.store(
        session, caller=caller.username, key=key, status=answer.status_code, body=bytes(answer.body)
    )
    return answer
