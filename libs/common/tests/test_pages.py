"""JSON unless HTML is preferred; what goes into the frame is escaped."""

import pytest
from starlette.requests import Request

from common.errors import NotAcceptable
from common.pages import page_response, prefers_html, render_page


def _request(accept: str | None) -> Request:
    headers = [] if accept is None else [(b"accept", accept.encode())]
    return Request({"type": "http", "headers": headers, "method": "GET", "path": "/"})


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (None, False),
        ("*/*", False),
        ("application/json", False),
        ("text/html", True),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("application/json;q=0.5, text/html", True),
        ("text/html;q=0.1, application/json", False),
        ("text/html;q=0, */*", False),
        ("image/png, */*;q=0.1", False),
    ],
)
def test_accept_decides(accept, html):
    assert prefers_html(_request(accept)) is html


def test_a_type_that_is_not_served_is_refused_unless_named():
    with pytest.raises(NotAcceptable):
        prefers_html(_request("image/png"))
    assert prefers_html(_request("text/csv"), also=("text/csv",)) is False


def test_the_frame_escapes_and_forbids_scripts():
    page = render_page("<b>", "<p>body</p>", user='"><script>', nav=(("/x?a=1&b", "A & B"),))
    assert "<b> ·" not in page
    assert "<script>" not in page
    assert "A &amp; B" in page
    assert "<p>body</p>" in page
    answer = page_response(page)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["vary"] == "Accept"
