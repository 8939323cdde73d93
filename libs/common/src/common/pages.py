"""The HTML frame and stylesheet that all services' pages share, and the choice between JSON and HTML."""

from collections.abc import Sequence
from functools import cache
from html import escape
from importlib import resources

from starlette.requests import Request
from starlette.responses import HTMLResponse

from common.errors import NotAcceptable

HTML_TYPES = ("text/html", "application/xhtml+xml")
JSON_TYPES = ("application/json", "application/problem+json", "text/json")

# No script runs on our pages; author's images, sound and video may come from anywhere, frames from video sites only.
PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src * data:; media-src *; font-src 'self'; "
    "frame-src https://www.youtube-nocookie.com; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@cache
def _style() -> str:
    return resources.files("common").joinpath("pages.css").read_text()


def render_page(
    title: str,
    body_html: str,
    *,
    user: str | None = None,
    nav: Sequence[tuple[str, str]] = (("/", "Courses"),),
    lang: str = "en",
) -> str:
    """A whole document around *body_html*, which must be safe already; title, user and nav are escaped here."""
    links = "".join(f'<a href="{escape(url)}">{escape(name)}</a>' for url, name in nav)
    who = f'{escape(user)} · <a href="/logout">Log out</a>' if user else '<a href="/login">Log in</a>'
    return (
        f'<!doctype html><html lang="{escape(lang)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)} · Lectern</title><style>{_style()}</style></head><body>'
        '<a class="skip" href="#main">Skip to the content</a>'
        f'<header class="top"><div class="bar"><a class="brand" href="/">Lectern</a><nav aria-label="Main">'
        f'{links}</nav><span class="who">{who}</span></div></header>'
        f'<main id="main">{body_html}</main><footer>Lectern</footer></body></html>'
    )


def page_response(html: str, status: int = 200) -> HTMLResponse:
    """An HTML answer that may run nothing and is not shared between languages of the same URL."""
    return HTMLResponse(
        html,
        status,
        {"Vary": "Accept", "Content-Security-Policy": PAGE_POLICY, "X-Content-Type-Options": "nosniff"},
    )


def _accepted(request: Request) -> list[tuple[float, int, str]]:
    ranges = []
    for place, part in enumerate(request.headers.get("accept", "*/*").split(",")):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        if name and quality > 0:
            ranges.append((-quality, place, name))
    return sorted(ranges)


def prefers_html(request: Request, *, also: Sequence[str] = ()) -> bool:
    """True when Accept ranks HTML before JSON; `*/*` and a missing header mean JSON.

    Raises `NotAcceptable` when neither is accepted, nor one of *also*.
    """
    ranges = _accepted(request)
    for _, _, name in ranges:
        if name in HTML_TYPES or name == "text/*":
            return True
        if name in JSON_TYPES or name in {"*/*", "application/*"} or name in also:
            return False
    if ranges:
        raise NotAcceptable
    return False
