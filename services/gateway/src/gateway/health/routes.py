"""Readiness of the whole system, the status page, and the merged documentation."""

from html import escape
from importlib.metadata import version

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from common.identity import CallerDep
from common.pages import page_response, prefers_html, render_page
from gateway.context import Gateway, GatewayDep
from gateway.health import documents
from gateway.health.queries import State, system_state

router = APIRouter(include_in_schema=False)
documents_router = APIRouter(include_in_schema=False)
NO_STORE = {"Cache-Control": "no-store"}


def _body(states: list[State]) -> dict[str, object]:
    services = {
        state.service: {
            "status": "ok" if state.ok else "unavailable",
            **({"reason": state.reason} if state.reason else {}),
        }
        for state in states
    }
    return {"status": "ok" if all(state.ok for state in states) else "unavailable", "services": services}


@router.get("/health/ready")
async def show_readiness(gateway: GatewayDep) -> Response:
    """200 when the gateway and all four services can serve; each is listed."""
    body = _body(await system_state(gateway.resources, gateway.upstreams))
    return JSONResponse(body, 200 if body["status"] == "ok" else 503, NO_STORE)


@router.get("/status")
async def show_status(request: Request, caller: CallerDep, gateway: GatewayDep) -> Response:
    """The services, whether limits are on, and the version; a page when Accept prefers HTML."""
    states = await system_state(gateway.resources, gateway.upstreams)
    limits = gateway.settings.rate_limits
    released = version("lectern-gateway")
    if prefers_html(request):
        return page_response(render_page("Status", _page(states, limits, released, gateway), user=caller.username))
    body = {**_body(states), "rate_limits": limits, "version": released}
    return JSONResponse(body, 200, {**NO_STORE, "Vary": "Accept"})


def _page(states: list[State], limits: str, released: str, gateway: Gateway) -> str:
    rows = "".join(
        f'<tr><td>{escape(state.service)}</td><td class="{"ok" if state.ok else "error"}">'
        f"{'ready' if state.ok else 'not available'}</td><td>{escape(state.reason or '')}</td></tr>"
        for state in states
    )
    classes = gateway.limiter.policy.classes.values() if gateway.limiter.policy else ()
    numbers = "".join(
        f"<tr><td>{escape(rate.name)}</td><td>{escape(rate.counter)}</td><td>{escape(rate.key)}</td>"
        f"<td>{rate.anonymous}</td><td>{rate.user}</td><td>{rate.staff}</td><td>{rate.seconds} s</td></tr>"
        for rate in classes
    )
    head = "".join(f"<th>{name}</th>" for name in ("Class", "Counter", "Key", "Anonymous", "User", "Staff", "Window"))
    table = f'<div class="scroll"><table><tr>{head}</tr>{numbers}</table></div>' if numbers else ""
    good = all(state.ok for state in states)
    return (
        f"<h1>Status</h1><p class='note'>{'All services are ready.' if good else 'Not everything is ready.'}</p>"
        "<h2>Services</h2><div class='scroll'><table><tr><th>Service</th><th>State</th><th>Reason</th></tr>"
        f"{rows}</table></div><h2>Rate limits</h2><p>Rate limits are <strong>{escape(limits)}</strong>.</p>{table}"
        f'<h2>Version</h2><p>{escape(released)} · <a href="/docs">API</a></p>'
    )


@documents_router.get("/openapi.json")
async def show_document(gateway: GatewayDep) -> Response:
    """The OpenAPI documents of all services in one."""
    return JSONResponse(await gateway.documents.merged())


@documents_router.get("/docs")
async def show_docs(caller: CallerDep, gateway: GatewayDep) -> Response:
    """The same as a page; nothing is loaded from elsewhere."""
    body = documents.page(await gateway.documents.merged())
    return page_response(render_page("API", body, user=caller.username))
