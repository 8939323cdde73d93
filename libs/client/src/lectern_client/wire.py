"""Requests and answers: tokens, repetition, errors of every API family as one."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Self, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from lectern_client.errors import NotAuthenticated, Refused, Unreachable
from lectern_client.tokens import ClientCredentials

TRIES = 4
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 3.0

M = TypeVar("M", bound=BaseModel)


class Wire:
    """One server, as one OAuth2 client."""

    def __init__(
        self,
        base_url: str,
        client_id: str,
        client_secret: str,
        *,
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        try:
            self._http = httpx.Client(
                base_url=base_url.rstrip("/"),
                timeout=httpx.Timeout(timeout, connect=10.0),
                transport=transport,
                headers={"User-Agent": "lectern-client/0.1"},
            )
        except httpx.InvalidURL as error:
            raise Unreachable(f"{base_url} is no address: {error}") from error
        self._credentials = ClientCredentials(self._http, client_id, client_secret)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def authenticate(self) -> None:
        """Prove the credentials now instead of at the first request."""
        self._credentials.token(fresh=True)

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: object | None = None,
        body: Callable[[], Iterator[bytes]] | None = None,
    ) -> httpx.Response:
        """What can be repeated is repeated, a few times, when the network or a server in front of Lectern fails."""
        repeatable = method == "GET" or (headers is not None and "Idempotency-Key" in headers)
        last: Exception | None = None
        for attempt in range(TRIES if repeatable else 1):
            if attempt:
                time.sleep(FIRST_PAUSE * 4**attempt)
            request = self._http.build_request(
                method, path, params=params, headers=headers, json=json, content=body() if body else None
            )
            try:
                answer = self._http.send(request, auth=self._credentials)
            except httpx.HTTPError as error:
                last = error
                continue
            if answer.status_code == 429 and attempt < TRIES - 1:
                time.sleep(retry_after(answer, 1.0))
                continue
            if answer.status_code in (502, 503, 504) and repeatable and attempt < TRIES - 1:
                continue
            return _checked(answer)
        raise Unreachable(f"{self._http.base_url} cannot be reached: {last}") from last

    @contextlib.contextmanager
    def _stream(
        self, method: str, path: str, *, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> Iterator[httpx.Response]:
        request = self._http.build_request(method, path, params=params, headers=headers)
        try:
            answer = self._http.send(request, auth=self._credentials, stream=True)
            try:
                if answer.is_error:
                    answer.read()
                    _checked(answer)
                yield answer
            finally:
                answer.close()
        except httpx.HTTPError as error:
            raise Unreachable(f"{self._http.base_url} cannot be reached: {error}") from error

    def _parse(self, answer: httpx.Response, model: type[M]) -> M:
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as error:
            raise Unreachable(f"{answer.request.url} does not answer like a Lectern: {error}") from error


def retry_after(answer: httpx.Response, default: float) -> float:
    text = answer.headers.get("Retry-After", "")
    return min(float(text), 60.0) if text.isdecimal() else default


def _checked(answer: httpx.Response) -> httpx.Response:
    """Raises `NotAuthenticated` or `Refused` with what the server says, whichever family its error body is of."""
    if not answer.is_error:
        return answer
    try:
        parsed = answer.json()
    except ValueError:
        parsed = None
    body = parsed if isinstance(parsed, dict) else {}
    words = (body.get(name) for name in ("developer_message", "detail", "message", "error"))
    message = next((word for word in words if isinstance(word, str) and word), f"Status {answer.status_code}.")
    fields = body.get("field_errors")
    if isinstance(fields, dict):
        message += "".join(f" {name}: {item.get('developer_message')}" for name, item in fields.items())
    code = body.get("error_code") or body.get("code")
    kind = NotAuthenticated if answer.status_code == 401 else Refused
    raise kind(answer.status_code, str(code) if code else None, message, body)
