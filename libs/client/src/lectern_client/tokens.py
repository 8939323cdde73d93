"""An access token that is always good for a while yet."""

import threading
import time
from collections.abc import Generator

import httpx
from pydantic import ValidationError

from lectern_client.errors import NotAuthenticated, Unreachable
from lectern_client.models import Token

# Renewed this long before its end, or after nine tenths of a short life: a long upload must not begin with a dying one.
MARGIN_SECONDS = 300.0


class ClientCredentials(httpx.Auth):
    """OAuth2 client credentials: fetched at the first request, renewed before the end, once more after a 401."""

    def __init__(self, http: httpx.Client, client_id: str, client_secret: str) -> None:
        self._http, self._id, self._secret = http, client_id, client_secret
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._renew_at = 0.0

    def token(self, *, fresh: bool = False) -> Token:
        """Raises `NotAuthenticated`, `Unreachable`."""
        with self._lock:
            if fresh or self._token is None or time.monotonic() >= self._renew_at:
                asked = time.monotonic()
                self._token = self._fetch()
                life = self._token.expires_in
                self._renew_at = asked + max(life - MARGIN_SECONDS, life * 0.9)
            return self._token

    def _fetch(self) -> Token:
        form = {"grant_type": "client_credentials", "token_type": "jwt"}
        try:
            answer = self._http.post("/oauth2/access_token", data=form, auth=(self._id, self._secret))
        except httpx.HTTPError as error:
            raise Unreachable(f"{self._http.base_url} cannot be reached: {error}") from error
        if answer.status_code in (400, 401, 403):
            raise NotAuthenticated(answer.status_code, _code(answer), "The client id or secret is not accepted.")
        try:
            answer.raise_for_status()
            return Token.model_validate_json(answer.content)
        except (httpx.HTTPStatusError, ValidationError) as error:
            raise Unreachable(f"{self._http.base_url} gives no token: status {answer.status_code}") from error

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """After a 401 once more with a new token, unless the body was streamed and is spent."""
        request.headers["Authorization"] = self._header(self.token())
        answer = yield request
        if answer.status_code == 401 and isinstance(request.stream, httpx.ByteStream):
            request.headers["Authorization"] = self._header(self.token(fresh=True))
            yield request

    @staticmethod
    def _header(token: Token) -> str:
        return f"{token.token_type} {token.access_token}"


def _code(answer: httpx.Response) -> str | None:
    try:
        body = answer.json()
    except ValueError:
        return None
    return str(body["error"]) if isinstance(body, dict) and "error" in body else None
