"""The composition root: what the gateway is made of."""

from typing import cast
from urllib.parse import urlsplit

from fastapi import FastAPI

from common.app import build_app
from common.errors import ErrorFamilies, detail_style, error_style
from common.messaging.parking.routes import router as parking_router
from common.process import Service
from common.resources import Resources
from gateway.accounts.passwords import Passwords
from gateway.accounts.routes import router as accounts_router
from gateway.consumers import subscriptions
from gateway.context import Gateway
from gateway.health.documents import Documents
from gateway.health.routes import documents_router
from gateway.health.routes import router as health_router
from gateway.limits.limiter import Limiter
from gateway.limits.policy import read_policy
from gateway.limits.windows import SharedWindows
from gateway.proxy.access_log import AccessLog
from gateway.proxy.front import Front, Parts
from gateway.proxy.headers import Proxies
from gateway.proxy.table import TARGETS, Table, check_table
from gateway.proxy.upstream import Upstream
from gateway.sessions.routes import router as sessions_router
from gateway.settings import Settings, internal_key
from gateway.tokens import operations as tokens
from gateway.tokens.credentials import Authenticator
from gateway.tokens.routes import accounts_router as credentials_router
from gateway.tokens.routes import router as tokens_router
from gateway.tokens.user_tokens import UserTokens

ERRORS = ErrorFamilies([("/oauth2", error_style), ("/api/user/v1", detail_style)])


class BadUpstreams(Exception):
    """LECTERN_UPSTREAMS does not fit the route table."""


def create_app(resources: Resources) -> Front:
    """The front, with the gateway's own features behind it."""
    features = build_app(
        resources,
        title="Lectern gateway",
        routers=[
            accounts_router,
            credentials_router,
            tokens_router,
            sessions_router,
            health_router,
            parking_router,
        ],
        errors=ERRORS,
    )
    # the merged document of all services takes the place of this application's own
    features.router.routes[:] = [r for r in features.router.routes if getattr(r, "path", "") != "/openapi.json"]
    features.include_router(documents_router)

    async def assemble() -> Parts:
        settings = cast("Settings", resources.settings)
        if wrong := check_table(TARGETS, settings.upstreams):
            raise BadUpstreams("; ".join(wrong))
        table = Table()
        gateway = _gateway(resources, settings, table, features)
        async with resources.sessions.begin() as session:
            await tokens.ensure_admin(
                session,
                client_id=settings.admin_client_id,
                secret=settings.admin_client_secret.get_secret_value(),
                pepper=gateway.pepper,
            )
        return Parts(
            state={"resources": resources, "gateway": gateway},
            table=table,
            upstreams=gateway.upstreams,
            authenticator=gateway.authenticator,
            limiter=gateway.limiter,
            proxies=Proxies(
                settings.trusted_proxies, public_url=settings.public_url, public_hosts=settings.public_hosts
            ),
            metrics_allowed=Proxies(settings.metrics_networks, public_url=settings.public_url),
            key=internal_key(settings.internal_private_key.get_secret_value()),
            access_log=AccessLog(on=settings.access_log, style=settings.log_format),
            country_header=settings.country_header.lower().encode(),
        )

    return Front(features, assemble)


def _gateway(resources: Resources, settings: Settings, table: Table, features: FastAPI) -> Gateway:
    user_tokens = UserTokens(
        settings.token_private_key.get_secret_value(),
        extra_keys=settings.token_public_keys,
        issuer=settings.issuer,
        audience=settings.token_audience,
        seconds=settings.token_seconds,
    )
    pepper = settings.token_pepper.get_secret_value().encode()
    api_key = settings.edx_api_key.get_secret_value().encode() if settings.edx_api_key else None
    on = settings.rate_limits == "on"
    upstreams = {
        name: _upstream(name, url, connections=settings.upstream_connections)
        for name, url in settings.upstreams.items()
    }
    return Gateway(
        resources=resources,
        settings=settings,
        passwords=Passwords(),
        user_tokens=user_tokens,
        authenticator=Authenticator(resources.pool, user_tokens, pepper=pepper, api_key=api_key),
        limiter=Limiter(
            read_policy(settings.rate_policy_file) if on else None,
            shared=_shared_windows(settings) if on else None,
        ),
        upstreams=upstreams,
        documents=Documents(features.openapi(), upstreams, table),
    )


def _shared_windows(settings: Settings) -> SharedWindows | None:
    if settings.redis_url is None:
        return None
    from gateway.limits.redis_windows import RedisWindows  # noqa: PLC0415 - heavy, and rarely configured

    return RedisWindows(settings.redis_url.get_secret_value())


def _upstream(name: str, url: str, *, connections: int) -> Upstream:
    """Services are reached in plain HTTP inside one network."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or parts.path not in ("", "/"):
        raise BadUpstreams(f"the address of {name} is not http://host:port")
    return Upstream(name, parts.hostname, parts.port or 80, connections=connections)


SERVICE = Service(
    name="gateway",
    package="gateway",
    settings=Settings,
    create_app=create_app,
    subscriptions=subscriptions,
)
