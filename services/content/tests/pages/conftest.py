"""A browser, and the service behind a real port for it."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Browser, Page, async_playwright
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from common.identity import HEADER, sign
from common.testing.identity import TestKeys, a_caller
from common.testing.waiting import until

CALLERS = {"learner": a_caller("learner"), "team": a_caller("admin", staff=True), "anonymous": a_caller(None)}


class _Gateway:
    """Says who is calling, by a header that the tests' browser sends."""

    def __init__(self, app: ASGIApp, keys: TestKeys) -> None:
        self._app, self._keys = app, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = MutableHeaders(scope=scope)
            caller = CALLERS[headers.get("x-as", "anonymous")]
            headers[HEADER] = sign(caller, audience="content", key=self._keys.key)
        await self._app(scope, receive, send)


@pytest.fixture(scope="module")
async def site(app: ASGIApp, keys: TestKeys) -> AsyncIterator[str]:
    """The service's address."""
    server = uvicorn.Server(uvicorn.Config(_Gateway(app, keys), port=0, log_level="error", lifespan="off"))
    task = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started, what="server")
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await task


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("needs Chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield browser
        await browser.close()


@pytest.fixture
def open_page(browser: Browser, site: str) -> Callable[..., object]:
    """A page of the site as somebody sees it; whatever goes wrong in the browser's console fails the test."""

    @asynccontextmanager
    async def opened(path: str, *, who: str = "learner", width: int = 1280, dark: bool = False) -> AsyncIterator[Page]:
        context = await browser.new_context(
            base_url=site,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            extra_http_headers={"x-as": who},
        )
        page = await context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.route(lambda url: not url.startswith(site), lambda route: route.abort())
        await page.goto(path)
        try:
            yield page
            if folder := os.environ.get("LECTERN_SCREENSHOTS"):
                name = f"{path.strip('/').rpartition('@')[2].replace('/', '_')[-40:]}-{who}-{width}{'-dark' * dark}.png"
                await page.screenshot(path=Path(folder) / name, full_page=True)
        finally:
            await context.close()
        assert [text for text in complaints if "net::ERR_FAILED" not in text] == []

    return opened
