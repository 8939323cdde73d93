"""The catalogue and a course's page in a real browser, on a wide screen and on a phone."""

import shutil
import uuid
from collections.abc import AsyncIterator

import pytest
from api import Client
from playwright.async_api import Browser, Page, async_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("Chromium is not installed: the pages were not tried in a browser")
    async with async_playwright() as tool:
        browser = await tool.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        await browser.close()


async def _course(admin: Client, org: str, number: str, name: str, **fields) -> str:
    body = {"org": org, "number": number, "run": "R", "display_name": name, "start": "2020-01-01T00:00:00Z", **fields}
    answer = await admin.post("/course", json=body)
    assert answer.status_code == 200, answer.text
    key = answer.json()["course_key"]
    texts = {"overview": "<h3>Read me</h3><script>document.title='owned'</script><p onclick='x()'>Yes</p>"}
    for _ in range(40):  # each try waits half a second for the course to be heard of
        answer = await admin.request("PUT", f"/api/catalog/v1/marketing/{key}", json=texts)
        if answer.status_code != 404:
            break
    assert answer.status_code == 200, answer.text
    return key


async def _fits(page: Page) -> None:
    """Nothing sticks out to the side."""
    width = await page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert width[0] <= width[1], width


@pytest.mark.parametrize("size", [(1200, 800), (360, 740)], ids=["wide", "phone"])
async def test_somebody_finds_a_course_and_reads_about_it(browser, system, admin, size):
    org = f"Page{uuid.uuid4().hex[:6]}"
    await _course(admin, org, "One", "Zoology of <b>very long</b> " + "unbreakable" * 12, self_paced=True)
    await _course(admin, org, "Two", "Zoology for beginners")
    page = await browser.new_page(viewport={"width": size[0], "height": size[1]})
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        await page.goto(system.base_url + "/")
        await page.get_by_label("Search courses").fill(f"zoo {org}")
        await page.get_by_role("button", name="Search").click()
        assert "2 courses" in await page.get_by_role("status").inner_text()
        await _fits(page)
        await page.get_by_text("Filters").click()
        await page.get_by_label("Pace").select_option("self")
        await page.get_by_role("button", name="Apply").click()
        assert "1 course" in await page.get_by_role("status").inner_text()
        await page.get_by_title("Remove Pace").click()
        assert "2 courses" in await page.get_by_role("status").inner_text()
        await page.get_by_role("link", name="Zoology for beginners").click()
        assert await page.get_by_role("heading", level=1).inner_text() == "Zoology for beginners"
        assert await page.get_by_text("Open for enrollment").is_visible()
        assert await page.get_by_role("cell", name="Audit").is_visible()
        assert await page.get_by_role("heading", name="Read me").is_visible()
        assert "owned" not in await page.title()
        await _fits(page)
        await page.get_by_role("link", name="Courses").first.click()
        assert await page.get_by_role("heading", level=1).inner_text() == "Courses"
        assert complaints == []
    finally:
        await page.close()
