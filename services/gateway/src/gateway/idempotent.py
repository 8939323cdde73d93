"""`Idempotency-Key` on the accounts API: the first answer is stored with the change and given again."""

from collections.abc import Awaitable, Callable

import orjson
from fastapi import Response
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from common.idempotency import HEADER, claim, fingerprint, store
from common.identity import Caller


async def once(
    request: Request, session: AsyncSession, caller: Caller, make: Callable[[], Awaitable[tuple[int, object]]]
) -> Response:
    """Run *make* and answer with its status and body, or with the stored answer to the same key. Raises `KeyReused`."""
    key = request.headers.get(HEADER)
    if key is None:
        status, body = await make()
        return Response(orjson.dumps(body, option=orjson.OPT_UTC_Z), status, media_type="application/json")
    name = str(caller.user_id)
    mark = fingerprint(request.method, request.url.path, await request.body())
    if stored := await claim(session, caller=name, key=key, fingerprint=mark):
        return Response(stored.body, stored.status, media_type="application/json")
    status, body = await make()
    data = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    await store(session, caller=name, key=key, status=status, body=data)
    return Response(data, status, media_type="application/json")
