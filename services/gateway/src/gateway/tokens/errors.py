"""Refusals about credentials, clients and tokens."""

from typing import ClassVar

from common.errors import NotFound, Refusal


class ClientNotFound(NotFound):
    """No such client."""

    code = "client_not_found"


class TokenNotFound(NotFound):
    """No such token."""

    code = "token_not_found"


class BadCredentials(Exception):
    """The credentials of a request open nothing.

    `scheme` says which of upstream's authenticators would have refused, since each has its own words.
    """

    def __init__(self, scheme: str, code: str, message: str, *, status: int = 401) -> None:
        self.scheme, self.code, self.message, self.status = scheme, code, message, status
        super().__init__(message)


class OAuthRefusal(Refusal):
    """The request is missing a parameter or has one twice."""

    status = 400
    error: ClassVar[str] = "invalid_request"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message)
        self.headers["Cache-Control"] = "no-store"
        self.headers["Pragma"] = "no-cache"
        self.body: object = {"error": self.error, "error_description": self.message}


class InvalidClient(OAuthRefusal):
    """The client is unknown or its secret is wrong."""

    status = 401
    error = "invalid_client"


class InvalidGrant(OAuthRefusal):
    """The user's credentials or the refresh token are wrong, used or expired."""

    status = 400
    error = "invalid_grant"


class UnsupportedGrantType(OAuthRefusal):
    """The grant types are client_credentials, password and refresh_token."""

    status = 400
    error = "unsupported_grant_type"


class InvalidScope(OAuthRefusal):
    """The client may not have this scope."""

    status = 400
    error = "invalid_scope"
