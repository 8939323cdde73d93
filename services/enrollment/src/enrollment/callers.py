"""Who may call, in the words of Open edX's enrollment API."""

from common.errors import Forbidden
from common.identity import Caller
from enrollment.enrollments.errors import CredentialsMissing


def require_global_staff(caller: Caller) -> None:
    """Raises `CredentialsMissing` (a server's API key is no user), `Forbidden`."""
    if caller.is_anonymous:
        raise CredentialsMissing
    if not caller.is_staff:
        raise Forbidden
