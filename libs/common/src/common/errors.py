"""Refusals: exceptions whose docstring is the message, and the body shape each API family gives them.

Open edX clients match on the body, so a family keeps upstream's shape; our own APIs answer RFC 9457 problem documents.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import ClassVar

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

Json = Mapping[str, object]
ErrorStyle = Callable[["Answer"], object]


class Refusal(Exception):
    """The request cannot be carried out."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "invalid"

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: object | None = None,
        **extra: object,
    ) -> None:
        """`extra` is merged into the family's body; `body` replaces it (bare strings and empty bodies of upstream)."""
        self.message = message if message is not None else inspect.cleandoc(self.__doc__ or "").split("\n\n")[0]
        self.error_code = code or self.code
        self.headers = dict(headers or {})
        self.extra = extra
        self.body = body
        super().__init__(self.message)


class Invalid(Refusal):
    """The request is not valid."""


class Unauthorized(Refusal):
    """Authentication credentials were not provided."""

    status = 401
    code = "not_authenticated"


class Forbidden(Refusal):
    """You do not have permission to perform this action."""

    status = 403
    code = "permission_denied"


class NotFound(Refusal):
    """Not found."""

    status = 404
    code = "not_found"


class MethodNotAllowed(Refusal):
    """This method is not allowed here."""

    status = 405
    code = "method_not_allowed"


class NotAcceptable(Refusal):
    """None of the accepted media types is served here."""

    status = 406
    code = "not_acceptable"


class Conflict(Refusal):
    """The request conflicts with the current state."""

    status = 409
    code = "conflict"


class PreconditionFailed(Refusal):
    """The version you named is not the current one."""

    status = 412
    code = "precondition_failed"


class TooLarge(Refusal):
    """The request body is too large."""

    status = 413
    code = "too_large"


class UnsupportedMediaType(Refusal):
    """This media type is not accepted here."""

    status = 415
    code = "unsupported_media_type"


class Unprocessable(Refusal):
    """The request is well formed but cannot be processed."""

    status = 422
    code = "unprocessable"


class Unavailable(Refusal):
    """The service cannot answer just now; try again."""

    status = 503
    code = "unavailable"


class Answer:
    """What a family's style turns into a body."""

    __slots__ = ("code", "extra", "message", "path", "request_id", "status")

    def __init__(
        self, status: int, code: str, message: str, extra: Json, *, path: str = "", request_id: str | None = None
    ) -> None:
        self.status, self.code, self.message, self.extra = status, code, message, extra
        self.path, self.request_id = path, request_id


def problem_style(answer: Answer) -> object:
    """RFC 9457, our own APIs."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(answer.status).phrase,
        "status": answer.status,
        "detail": answer.message or _fields_in_words(answer.extra),
        "error_code": answer.code,
    }
    if answer.request_id:
        body["request_id"] = answer.request_id
    return body | dict(answer.extra)


def _fields_in_words(extra: Json) -> str:
    fields = extra.get("field_errors")
    if not isinstance(fields, dict):
        return ""
    return " ".join(f"{name}: {said.get('developer_message')}" for name, said in fields.items())


def developer_message_style(answer: Answer) -> object:
    """Upstream's course and import APIs; with `field_errors` in `extra` an empty message is left out."""
    body: dict[str, object] = dict(answer.extra)
    if answer.message:
        body["developer_message"] = answer.message
    if "field_errors" not in answer.extra:
        body["error_code"] = answer.code
    return body


def message_style(answer: Answer) -> object:
    """Upstream's enrollment API: its own refusals say `message`, the framework's (401, 403, 404, 405, 429) `detail`."""
    key = "detail" if answer.code in FRAMEWORK_CODES else "message"
    return {key: answer.message, "error_code": answer.code, **answer.extra}


def detail_style(answer: Answer) -> object:
    """Plain framework views of upstream."""
    return {"detail": answer.message, "error_code": answer.code, **answer.extra}


def error_style(answer: Answer) -> object:
    """Studio's handlers."""
    return {"error": answer.message, "error_code": answer.code, **answer.extra}


FRAMEWORK_CODES = frozenset({"not_authenticated", "permission_denied", "not_found", "method_not_allowed", "throttled"})


class ErrorFamilies:
    """Which shape errors take below which path prefix; the longest prefix wins."""

    def __init__(self, families: Sequence[tuple[str, ErrorStyle]] = (), *, default: ErrorStyle = problem_style) -> None:
        self._families = sorted(families, key=lambda family: -len(family[0]))
        self._default = default

    def of(self, path: str) -> ErrorStyle:
        for prefix, style in self._families:
            if path.startswith(prefix):
                return style
        return self._default

    def respond(self, scope: Scope, refusal: Refusal) -> Response:
        style = self.of(scope["path"])
        headers = dict(refusal.headers)
        if refusal.body is not None:
            content = b"" if refusal.body == "" else orjson.dumps(refusal.body)
            media = "application/json" if content else None
        else:
            request_id = scope.get("state", {}).get("request_id")
            answer = Answer(
                refusal.status,
                refusal.error_code,
                refusal.message,
                refusal.extra,
                path=scope["path"],
                request_id=request_id,
            )
            content = orjson.dumps(style(answer), default=str)
            media = "application/problem+json" if style is problem_style else "application/json"
        return Response(content, refusal.status, headers, media_type=media)


_BY_STATUS: dict[int, type[Refusal]] = {
    cls.status: cls
    for cls in (
        Invalid,
        Unauthorized,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        NotAcceptable,
        Conflict,
        TooLarge,
        UnsupportedMediaType,
        Unprocessable,
        Unavailable,
    )
}


class _InternalError(Refusal):
    """Something went wrong on our side; the request id names it in our logs."""

    status = 500
    code = "internal_error"


def _validation(error: RequestValidationError) -> Refusal:
    fields: dict[str, object] = {}
    for item in error.errors():
        place = [str(part) for part in item["loc"] if part not in ("body", "query", "path", "header")]
        # what is no JSON has no fields, only a position; one object where there may be a list is not item 0 of anything
        if item["type"] == "json_invalid" or (isinstance(error.body, dict) and place and place[0] == "0"):
            place = place[1:]
        fields.setdefault(".".join(place) or "body", {"developer_message": item["msg"]})
    return Invalid("The request is not valid.", code="invalid", field_errors=fields)


def install_error_handlers(app: FastAPI, families: ErrorFamilies) -> None:
    """No body in the framework's own shape leaves the service, whichever layer refused."""

    async def refused(request: Request, error: Exception) -> Response:
        if not isinstance(error, Refusal):
            raise error
        return families.respond(request.scope, error)

    async def http(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        if error.status_code == 405:
            # the framework's `Allow` knows one route of an address only; the edge knows all
            known: Refusal = MethodNotAllowed(f'Method "{request.method}" not allowed.')
        else:
            known = _BY_STATUS.get(error.status_code, Invalid)(headers=error.headers)
        return families.respond(request.scope, known)

    async def invalid(request: Request, error: Exception) -> Response:
        if not isinstance(error, RequestValidationError):
            raise error
        return families.respond(request.scope, _validation(error))

    async def broken(request: Request, error: Exception) -> Response:
        # the server closes the connection behind such an answer: whoever keeps it for the next request must hear that
        return families.respond(request.scope, _InternalError(headers={"Connection": "close"}))

    app.add_exception_handler(Refusal, refused)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, broken)
