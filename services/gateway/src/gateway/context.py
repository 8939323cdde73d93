"""What the gateway's own routes need beside the shared resources, put into each request's state by the front."""

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import Request

from common.resources import Resources
from gateway.accounts.passwords import Passwords
from gateway.health.documents import Documents
from gateway.limits.limiter import Limiter
from gateway.proxy.upstream import Upstream
from gateway.settings import Settings
from gateway.tokens.credentials import Authenticator
from gateway.tokens.user_tokens import UserTokens


@dataclass(frozen=True)
class Gateway:
    """Made once, in the composition root."""

    resources: Resources
    settings: Settings
    passwords: Passwords
    user_tokens: UserTokens
    authenticator: Authenticator
    limiter: Limiter
    upstreams: dict[str, Upstream]
    documents: Documents

    @property
    def pepper(self) -> bytes:
        return self.settings.token_pepper.get_secret_value().encode()


def gateway_of(request: Request) -> Gateway:
    return cast("Gateway", request.state.gateway)


GatewayDep = Annotated[Gateway, Depends(gateway_of)]
