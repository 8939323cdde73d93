"""Logging in with a browser."""

import re

import httpx
import pytest


@pytest.fixture
async def browser(client):
    """A fresh cookie jar at the same gateway."""
    async with httpx.AsyncClient(transport=client._transport, base_url="http://127.0.0.1:8000") as made:
        yield made


async def form_of(browser, path="/login"):
    page = await browser.get(path, headers={"accept": "text/html"})
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    return dict(re.findall(r'name="(csrf_token|next)" value="([^"]*)"', page.text))


async def test_the_cookie_opens_reading_and_no_writing(browser, a_user):
    await a_user("reader", password="open sesame")
    form = await form_of(browser, "/login?next=/status")
    answer = await browser.post("/login", data={**form, "username": "reader", "password": "open sesame"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/status")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=lax" in answer.headers["set-cookie"]
    assert (await browser.get("/api/user/v1/me")).json()["username"] == "reader"
    head = await browser.head("/api/user/v1/me")
    assert (head.status_code, head.content) == (200, b"")
    assert (await browser.post("/api/accounts/v1/creator_grants", json={})).status_code == 401
    answer = await browser.post("/logout", data=await form_of(browser, "/logout"))
    assert answer.status_code == 303
    assert (await browser.get("/api/user/v1/me")).status_code == 401


async def test_a_logged_out_cookie_is_worth_nothing_to_who_copied_it(browser, client, a_user, forget):
    await a_user("copied", password="open sesame")
    form = {**await form_of(browser), "username": "copied", "password": "open sesame"}
    await browser.post("/login", data=form)
    stolen = {"Cookie": f"lectern_session={browser.cookies['lectern_session']}"}
    assert (await client.get("/api/user/v1/me", headers=stolen)).status_code == 200
    await browser.post("/logout", data=await form_of(browser, "/logout"))
    forget()
    assert (await client.get("/api/user/v1/me", headers=stolen)).status_code == 401


async def test_a_wrong_password_shows_the_form_again(browser, a_user):
    await a_user("forgetful", password="open sesame")
    form = await form_of(browser)
    for name in ("forgetful", "nobody-here"):
        answer = await browser.post("/login", data={**form, "username": name, "password": "wrong"})
        assert answer.status_code == 401
        assert "The name or the password is wrong." in answer.text
        assert "lectern_session" not in browser.cookies


async def test_a_form_from_elsewhere_is_refused(browser, client, a_user):
    await a_user("victim", password="open sesame")
    good = {**await form_of(browser), "username": "victim", "password": "open sesame"}
    assert (await browser.post("/login", data={**good, "csrf_token": "x"})).status_code == 403
    for origin in ("https://evil.example", "null", "http://[::1"):
        assert (await browser.post("/login", data=good, headers={"Origin": origin})).status_code == 403, origin
    assert (await client.post("/login", data=good)).status_code == 403
    assert (await browser.post("/login", data=good, headers={"Origin": "http://127.0.0.1:8000"})).status_code == 303


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb", ""]
)
async def test_the_way_on_never_leads_to_another_site(browser, a_user, target):
    form = await form_of(browser)
    answer = await browser.get("/login", params={"next": target})
    assert re.search(r'name="next" value="/"', answer.text)
    assert form["next"] == "/"


async def test_input_is_escaped_in_the_page(browser):
    form = await form_of(browser)
    answer = await browser.post("/login", data={**form, "username": '"><script>x</script>', "password": "wrong"})
    assert "<script>" not in answer.text
