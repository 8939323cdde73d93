"""What can go wrong between the gateway and a service, or between a client and the gateway, while bytes are carried."""

from typing import ClassVar


class Failure(Exception):
    """The request could not be carried through."""

    status: ClassVar[int] = 502
    code: ClassVar[str] = "bad_upstream"
    retry_after: ClassVar[int | None] = None

    @property
    def message(self) -> str:
        return (self.__doc__ or "").strip()


class Unreachable(Failure):
    """The service behind this address does not accept connections just now."""

    code = "upstream_unreachable"
    retry_after = 1


class Lost(Failure):
    """The service behind this address broke off its answer or sent something that is not HTTP."""

    code = "upstream_lost"


class TimedOut(Failure):
    """The service behind this address did not answer in time."""

    status = 504
    code = "upstream_timeout"


class Overloaded(Failure):
    """The service behind this address is busy; try again."""

    status = 503
    code = "overloaded"
    retry_after = 1


class Unconfigured(Failure):
    """The service behind this address is not part of this installation."""

    status = 503
    code = "not_installed"
    retry_after = 60


class ClientGone(Failure):
    """The client closed the connection before the answer."""

    status = 499
    code = "client_gone"


class ClientStalled(Failure):
    """The request body did not arrive in time."""

    status = 408
    code = "body_timeout"


class BodyTooLarge(Failure):
    """The request body is larger than this address takes."""

    status = 413
    code = "too_large"
