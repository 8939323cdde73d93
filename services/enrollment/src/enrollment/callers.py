"""Who may call, in the words of Open edX's enrollment API."""

from starlette.requests import Request

from common.errors import Forbidden, MethodNotAllowed
from common.identity import Caller, caller_of
from enrollment.enrollments.errors import CredentialsMissing


def require_global_staff(caller: Caller) -> None:
    """Raises `CredentialsMissing` (a server's API key is no user), `Forbidden`."""
    if caller.is_anonymous:
        raise CredentialsMissing
    if not caller.is_staff:
        raise Forbidden


async def refuse_staff_method(request: Request) -> None:
    """A method that is not served, where only global staff may come: who may call is said first, as upstream does."""
    require_global_staff(caller_of(request))
    raise MethodNotAllowed(f'Method "{request.method}" not allowed.')
