"""The log-in and log-out pages."""

from html import escape

from starlette.responses import Response

from common.pages import page_response, render_page


def login_page(*, csrf: str, following: str, message: str = "", username: str = "", status: int = 200) -> Response:
    """The form, with the last try's message."""
    alert = f'<p class="error" role="alert">{escape(message)}</p>' if message else ""
    body = (
        '<div class="card" style="max-width:26rem;margin:2rem auto"><h1>Log in</h1>'
        f'{alert}<form method="post" action="/login">'
        f'<input type="hidden" name="csrf_token" value="{escape(csrf)}">'
        f'<input type="hidden" name="next" value="{escape(following)}">'
        '<label for="username">Username or e-mail address</label>'
        f'<input id="username" name="username" value="{escape(username)}" autocomplete="username" required autofocus '
        'style="width:100%">'
        '<label for="password">Password</label>'
        '<input id="password" name="password" type="password" autocomplete="current-password" required '
        'style="width:100%">'
        '<p style="margin:1.2rem 0 .4rem"><button type="submit">Log in</button></p>'
        '<p class="muted" style="font-size:.9rem;margin:0">A log-in in the browser is for reading. '
        "Programs that write use a token.</p></form></div>"
    )
    return _private(page_response(render_page("Log in", body, nav=()), status))


def logout_page(*, csrf: str, user: str | None) -> Response:
    """A button: leaving is a change, and a link alone must not cause one."""
    if user is None:
        body = (
            '<div class="card" style="max-width:26rem;margin:2rem auto"><h1>Log out</h1><p>You are not logged in.</p>'
        )
        return _private(page_response(render_page("Log out", f"{body}</div>", nav=())))
    body = (
        '<div class="card" style="max-width:26rem;margin:2rem auto"><h1>Log out</h1>'
        f"<p>You are logged in as <strong>{escape(user)}</strong>.</p>"
        '<form method="post" action="/logout">'
        f'<input type="hidden" name="csrf_token" value="{escape(csrf)}">'
        '<button type="submit">Log out</button></form></div>'
    )
    return _private(page_response(render_page("Log out", body, user=user, nav=())))


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "same-origin"
    return response
