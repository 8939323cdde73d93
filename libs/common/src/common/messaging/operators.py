"""Who may look after a service's messages over HTTP: global staff, at an address that names this service."""

from typing import Annotated

from fastapi import Depends, Path
from starlette.requests import Request

from common.errors import NotFound
from common.identity import Caller, CallerDep, require_staff
from common.messaging.topology import prefix_of


class OtherService(NotFound):
    """This is not the service you named."""

    code = "unknown_service"


def _operator(request: Request, caller: CallerDep, service: Annotated[str, Path()]) -> Caller:
    require_staff(caller)
    if prefix_of(service) != prefix_of(request.state.resources.service):
        raise OtherService
    return caller


Operator = Annotated[Caller, Depends(_operator)]
