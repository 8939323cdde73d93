"""Refusals of the gateway itself, in the shape of the API family that was addressed."""

from collections.abc import Sequence

import orjson
from starlette.types import Send

from common.errors import Answer, ErrorStyle, developer_message_style, error_style, problem_style
from gateway.limits.limiter import Decision
from gateway.proxy.errors import Failure
from gateway.proxy.headers import Header
from gateway.tokens.errors import BadCredentials

CHALLENGE = (b"www-authenticate", b'JWT realm="api"')
_BEARER_CODES = frozenset(
    {"token_nonexistent", "token_expired", "token_malformed", "token_not_provided", "user_is_disabled"}
)


class Denied(Exception):
    """An answer that ends the request at the gateway."""

    def __init__(
        self, status: int, code: str, message: str, *, headers: tuple[Header, ...] = (), body: object | None = None
    ) -> None:
        self.status, self.code, self.message, self.headers, self.body = status, code, message, headers, body
        super().__init__(message)


def denied_by_limit(decision: Decision) -> Denied:
    retry = (b"retry-after", b"%d" % decision.retry_after)
    if decision.unavailable:
        return Denied(503, "unavailable", decision.message, headers=(retry,))
    return Denied(429, "throttled", decision.message, headers=(retry,))


def denied_by_failure(failure: Failure) -> Denied:
    headers = () if failure.retry_after is None else ((b"retry-after", b"%d" % failure.retry_after),)
    return Denied(failure.status, failure.code, failure.message, headers=headers)


def denied_by_credentials(bad: BadCredentials, style: ErrorStyle) -> Denied:
    """Upstream's bearer authenticator answers with an object, which its course APIs then nest; JWT with a sentence."""
    headers = () if bad.status != 401 or style is developer_message_style else (CHALLENGE,)
    body: object | None = None
    if bad.scheme == "bearer" and bad.code in _BEARER_CODES and style not in (problem_style, error_style):
        body = {"error_code": bad.code, "developer_message": bad.message}
        if style is developer_message_style:
            body = {"developer_message": body}
    # the sentence goes where the framework's own sentences go
    code = bad.code if style in (problem_style, error_style) else "not_authenticated"
    return Denied(bad.status, code, bad.message, headers=headers, body=body)


async def send_denied(
    send: Send, denied: Denied, *, style: ErrorStyle, extra: Sequence[Header], path: str, head: bool
) -> None:
    """`extra` goes on every answer of this request; it begins with the request id."""
    body, request_id = denied.body, extra[0][1].decode()
    if body is None:
        body = style(Answer(denied.status, denied.code, denied.message, {}, path=path, request_id=request_id))
    data = orjson.dumps(body)
    media = b"application/problem+json" if style is problem_style and denied.body is None else b"application/json"
    headers = [
        (b"content-type", media),
        (b"content-length", b"%d" % len(data)),
        *extra,
        *denied.headers,
    ]
    await send({"type": "http.response.start", "status": denied.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else data, "more_body": False})
