"""One address, two forms: JSON by default, a page when the client prefers HTML; refusals take the same form."""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from common.app import raw_path
from common.errors import Refusal
from common.identity import Caller
from common.pages import page_response, prefers_html
from content.items.pages import refusal_page


async def in_either_form(
    request: Request,
    caller: Caller,
    *,
    json: Callable[[], Awaitable[Response]],
    html: Callable[[], Awaitable[str]],
) -> Response:
    """The answer in the form the client prefers. Raises `NotAcceptable`, and for JSON whatever refuses."""
    if not prefers_html(request):
        try:
            answer = await json()
        except Refusal as refusal:
            refusal.headers.setdefault("Vary", "Accept")
            raise
        answer.headers["Vary"] = "Accept"
        return answer
    try:
        return page_response(await html())
    except Refusal as refusal:
        if refusal.status == 401 and caller.is_anonymous:
            return RedirectResponse(
                f"/login?next={quote(raw_path(request), safe='/')}", status_code=302, headers={"Vary": "Accept"}
            )
        return page_response(refusal_page(refusal.status, refusal.message, user=caller.username), refusal.status)
