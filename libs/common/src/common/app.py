"""The HTTP side of a service: request ids, metrics, health, error families, both slash forms."""

import asyncio
import re
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from prometheus_client import Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from common.errors import ErrorFamilies, MethodNotAllowed, install_error_handlers
from common.resources import Resources
from common.telemetry import (
    REQUEST_ID_HEADER,
    REQUESTS,
    SECONDS,
    accepted_request_id,
    accepted_traceparent,
    metrics_page,
    request_id,
    traceparent,
)

log = structlog.get_logger()

METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


def raw_path(request: Request) -> str:
    """The path as the client wrote it, undecoded: `+`, `%2B` and `%2F` in keys are still what they were."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return raw.split(b"?", 1)[0].decode("latin-1")


class _PlainRoute(Route):
    """To be told from FastAPI's own: `build_app` puts these before all routers."""


def add_plain_route(
    router: APIRouter,
    path: str,
    endpoint: Callable[[Request], Awaitable[Response]],
    *,
    include_in_schema: bool = True,
) -> None:
    """A GET that Starlette answers without FastAPI's handling, which costs a hot one half of its throughput.

    It says which route it is, as FastAPI's own do: metrics and logs go by that.
    """

    async def answer(request: Request) -> Response:
        request.scope["route"] = route
        return await endpoint(request)

    route = _PlainRoute(path, answer, methods=["GET"], name=endpoint.__name__, include_in_schema=include_in_schema)
    router.routes.append(route)


def answer_other_method(request: Request, allowed: str) -> Response:
    """For routes that ask for credentials before they say what is served: OPTIONS. Raises `MethodNotAllowed` for all
    others."""
    headers = {"Allow": allowed}
    if request.method == "OPTIONS":
        return Response(headers=headers)
    raise MethodNotAllowed(f'Method "{request.method}" not allowed.', headers=headers)


def build_app(
    resources: Resources,
    *,
    title: str,
    routers: Sequence[APIRouter],
    errors: ErrorFamilies | None = None,
    ready: Callable[[], Awaitable[bool]] | None = None,
) -> FastAPI:
    """The service's ASGI application; `ready` adds a condition of the service's own to `/health/self`."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, object]]:
        yield {"resources": resources}

    app = FastAPI(title=title, version="1", lifespan=lifespan, docs_url=None, redoc_url=None, redirect_slashes=False)
    for router in routers:
        app.include_router(router)
    # a route inside a router is matched twice at each level; which of these is meant is never in doubt
    app.router.routes[:0] = [route for router in routers for route in router.routes if isinstance(route, _PlainRoute)]
    app.include_router(_health(resources, ready))
    install_error_handlers(app, errors or ErrorFamilies())
    app.router.default = _other_slash(app)
    app.add_middleware(Edge, service=resources.service, app_routes=app)

    def openapi() -> dict[str, object]:
        if not app.openapi_schema:
            app.openapi_schema = _described(app, title)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
    return app


def _other_slash(app: FastAPI) -> ASGIApp:
    """Answers `/x` and `/x/` alike, on writes too: what no route takes in the one form is routed in the other."""
    not_found = app.router.default
    as_asked = "lectern.path"

    async def settle(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if scope["type"] != "http" or len(path) < 2 or as_asked in scope:
            scope["path"] = scope.get(as_asked, path)
            await not_found(scope, receive, send)
            return
        scope[as_asked], scope["path"] = path, _toggled(path)
        await app.router(scope, receive, send)

    return settle


def _toggled(path: str) -> str:
    return path[:-1] if path.endswith("/") else f"{path}/"


def _described(app: FastAPI, title: str) -> dict[str, object]:
    """FastAPI names a route of two methods after one of them, by chance; here each is named by its own, in order."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Duplicate Operation ID")
        document = get_openapi(title=title, version="1", routes=app.routes)
    paths = document.get("paths", {})
    for path, operations in paths.items():
        for method, operation in operations.items():
            operation["operationId"] = re.sub(r"\W+", "_", f"{method}{path}").strip("_")
        paths[path] = dict(sorted(operations.items()))
    return document


def _health(resources: Resources, ready: Callable[[], Awaitable[bool]] | None) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/health/live")
    async def live() -> dict[str, str]:
        """The process runs and its loop turns."""
        return {"status": "ok"}

    @router.get("/health/self")
    async def itself(response: Response) -> dict[str, str]:
        """The process and its database."""
        try:
            async with asyncio.timeout(2):
                async with resources.engine.connect() as connection:
                    await connection.exec_driver_sql("select 1")
                good = await ready() if ready else True
        except Exception as error:  # noqa: BLE001 - whatever keeps the database from answering, the answer is "not ready"
            log.warning("not_ready", error=repr(error))
            good = False
        if not good:
            response.status_code = 503
        return {"status": "ok" if good else "unavailable", "service": resources.service}

    @router.get("/metrics")
    async def metrics() -> Response:
        body, media_type = metrics_page()
        return Response(body, media_type=media_type)

    return router


class Edge:
    """Pure ASGI: both trailing-slash forms, HEAD wherever there is GET, OPTIONS and `Allow` for the address as a whole,
    request id, trace context, metrics by route template, log of failures."""

    def __init__(self, app: ASGIApp, *, service: str, app_routes: FastAPI) -> None:
        self._app, self._service, self._routes = app, service, app_routes
        self._meters: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        current = accepted_request_id(headers.get(REQUEST_ID_HEADER))
        scope.setdefault("state", {})["request_id"] = current
        tokens = (request_id.set(current), traceparent.set(accepted_traceparent(headers.get("traceparent"))))
        if scope["path"].endswith("\n"):
            # a route's pattern ends with `$`, which a last newline does not disturb: the key before it would be found
            scope["path"] += "\0"
        app = self._app
        if scope["method"] in ("HEAD", "OPTIONS"):
            scope, app = self._adapt(scope)
        started, status = time.perf_counter(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                sent = MutableHeaders(scope=message)
                sent["X-Request-ID"] = current
                if status == 405 and "allow" not in sent:
                    sent["Allow"] = self._allowed(self._in_known_form(scope))
            await send(message)

        try:
            await app(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            self._count(scope["method"], route, status, time.perf_counter() - started)
            if status >= 500:
                log.error("request_failed", method=scope["method"], route=route, status=status)
            request_id.reset(tokens[0])
            traceparent.reset(tokens[1])

    def _count(self, method: str, route: str, status: int, seconds: float) -> None:
        place = method, route, status
        if place not in self._meters:
            self._meters[place] = (
                REQUESTS.labels(self._service, method, route, status),
                SECONDS.labels(self._service, method, route),
            )
        requests, duration = self._meters[place]
        requests.inc()
        duration.observe(seconds)

    def _adapt(self, scope: Scope) -> tuple[Scope, ASGIApp]:
        """HEAD where a route has GET only, OPTIONS where none has it."""
        known = self._in_known_form(scope)
        if self._matches(known, Match.FULL):
            return scope, self._app
        if scope["method"] == "HEAD":
            # the server leaves out the body itself: to it this is still a HEAD
            return dict(scope, method="GET"), self._app
        allowed = self._allowed(known)
        return scope, Response(headers={"Allow": allowed}) if allowed else self._app

    def _in_known_form(self, scope: Scope) -> Scope:
        """With the path as the routes have it, with or without its last slash; as it is where neither is one."""
        other = dict(scope, path=_toggled(scope["path"]))
        return other if not self._matches(scope) and self._matches(other) else scope

    def _allowed(self, scope: Scope) -> str:
        """What may be done at this address, by whichever of its routes; nothing where there is none.

        The method that is asked for here is no part of it: a route may be there only to refuse, since upstream wants to
        see credentials before it says that a method is not served.
        """
        others = METHODS - {scope["method"]}
        served = {method for method in others if self._matches(dict(scope, method=method), Match.FULL)}
        if not served:
            return ""
        return ", ".join(sorted(served | {"OPTIONS"} | ({"HEAD"} if "GET" in served else set())))

    def _matches(self, scope: Scope, least: Match = Match.PARTIAL) -> bool:
        return any(route.matches(scope)[0].value >= least.value for route in self._routes.router.routes)
