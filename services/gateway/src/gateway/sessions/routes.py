"""Log-in and log-out. The cookie opens reading only, so these two forms are the only writes a browser can do."""

import hmac
import secrets
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from common.database import WriteSession
from common.errors import Forbidden
from common.identity import CallerDep, request_base
from gateway.context import Gateway, GatewayDep
from gateway.sessions import operations
from gateway.sessions.pages import login_page, logout_page
from gateway.tokens.credentials import SESSION_COOKIE
from gateway.tokens.routes import TooManyAttempts, check_password
from gateway.tokens.secrets import keyed_hash

COOKIE = SESSION_COOKIE.decode()
CSRF_COOKIE = "lectern_csrf"
router = APIRouter(include_in_schema=False)


class BadForm(Forbidden):
    """This form is not from this site or is too old; load it again."""

    code = "bad_form"


@router.get("/login")
async def show_login(request: Request, gateway: GatewayDep) -> Response:
    """The log-in form."""
    csrf, fresh = _csrf(request, gateway)
    return _with_csrf(request, login_page(csrf=csrf, following=_local(request.query_params.get("next"))), fresh)


@router.post("/login")
async def log_in(request: Request, session: WriteSession, gateway: GatewayDep) -> Response:
    """Open a session and go on to `next`."""
    form = await _form(request, gateway)
    following, username = _local(form.get("next")), form.get("username", "")
    csrf, fresh = _csrf(request, gateway)

    def again(message: str, status: int) -> Response:
        page = login_page(csrf=csrf, following=following, message=message, username=username, status=status)
        return _with_csrf(request, page, fresh)

    try:
        user = await check_password(request, username, form.get("password", ""), session, gateway)
    except TooManyAttempts as refused:
        page = again(refused.message, refused.status)
        page.headers.update(refused.headers)
        return page
    if user is None:
        return again("The name or the password is wrong.", 401)
    hours = gateway.settings.session_hours
    value = await operations.open_session(session, user, now=datetime.now(UTC), hours=hours)
    response = RedirectResponse(following, 303, {"Cache-Control": "no-store"})
    response.set_cookie(COOKIE, value, max_age=hours * 3600, httponly=True, samesite="lax", secure=_is_https(request))
    return response


@router.get("/logout")
async def show_logout(request: Request, caller: CallerDep, gateway: GatewayDep) -> Response:
    """The log-out button."""
    csrf, fresh = _csrf(request, gateway)
    return _with_csrf(request, logout_page(csrf=csrf, user=caller.username), fresh)


@router.post("/logout")
async def log_out(request: Request, session: WriteSession, gateway: GatewayDep) -> Response:
    """End the session."""
    await _form(request, gateway)
    if value := request.cookies.get(COOKIE):
        await operations.close_session(session, value)
    response = RedirectResponse("/", 303, {"Cache-Control": "no-store"})
    response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=_is_https(request))
    return response


async def _form(request: Request, gateway: Gateway) -> dict[str, str]:
    """The fields of a form that this site gave out. Raises `BadForm`."""
    try:
        parsed = parse_qs((await request.body()).decode(), keep_blank_values=True)
    except ValueError as error:
        raise BadForm from error
    form = {name: values[0].replace("\0", "") for name, values in parsed.items()}
    cookie = request.cookies.get(CSRF_COOKIE, "")
    origin = request.headers.get("origin")
    try:
        ours = (urlsplit(request_base(request)).netloc, request.headers.get("host"))
        is_foreign = origin is not None and urlsplit(origin).netloc not in ours
    except ValueError as error:  # half an IPv6 address
        raise BadForm from error
    if is_foreign:
        raise BadForm
    if not cookie or not hmac.compare_digest(form.get("csrf_token", "").encode(), _csrf_of(cookie, gateway).encode()):
        raise BadForm
    return form


def _csrf(request: Request, gateway: Gateway) -> tuple[str, str | None]:
    """The form's token, bound by a keyed hash to a cookie; and the cookie's value when it is new."""
    cookie = request.cookies.get(CSRF_COOKIE)
    fresh = None if cookie else secrets.token_urlsafe(24)
    return _csrf_of(cookie or fresh or "", gateway), fresh


def _csrf_of(cookie: str, gateway: Gateway) -> str:
    return keyed_hash(f"csrf:{cookie}", gateway.pepper).hex()


def _with_csrf(request: Request, response: Response, fresh: str | None) -> Response:
    if fresh:
        response.set_cookie(CSRF_COOKIE, fresh, httponly=True, samesite="strict", secure=_is_https(request))
    return response


def _is_https(request: Request) -> bool:
    return request_base(request).startswith("https://")


def _local(target: str | None) -> str:
    """Only a path of this site; anything a browser could read as another site leads home."""
    if (
        not target
        or not target.startswith("/")
        or target.startswith("//")
        or "\\" in target
        or not target.isprintable()
    ):
        return "/"
    parts = urlsplit(target)
    return "/" if parts.scheme or parts.netloc else target
