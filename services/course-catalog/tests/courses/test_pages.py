"""The pages people see: the catalogue, and one course; nothing an author wrote can run or restyle."""

from collections.abc import Callable
from typing import Protocol

import httpx
import pytest

from common.identity import Caller
from common.keys import CourseKey
from common.testing.identity import a_caller
from course_catalog.courses.facts import CourseFacts
from course_catalog.courses.pages import sanitise

MakeCourse = Callable[..., CourseFacts]
HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
KEY = CourseKey.parse("course-v1:Org+Demo+1")


class Bus(Protocol):
    async def hear(self, *facts: CourseFacts) -> None: ...
    async def role(self, course: CourseFacts, caller: Caller) -> None: ...


class Client(Protocol):
    async def get(
        self, url: str, caller: Caller | None = None, *, headers: dict[str, str] | None = None
    ) -> httpx.Response: ...


async def test_the_catalogue_shows_searches_and_turns_pages(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    await bus.hear(*(a_course(f"C{number:02}") for number in range(25)))
    first = (await client.get("/", headers=HTML)).text
    assert "25 courses" in first
    assert first.count('class="card course"') == 24
    assert 'href="/?page=2&amp;cursor=' in first
    assert "Page 2 of 2" in (await client.get("/?page=2", headers=HTML)).text
    found = (await client.get("/?search_term=c07", headers=HTML)).text
    assert "1 course<" in found
    assert "/api/courses/v1/courses/course-v1:Org+C07+1" in found
    assert (await client.get("/?page=9", headers=HTML)).status_code == 404


async def test_names_are_escaped(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    await bus.hear(a_course(display_name='3 < 4 & "x"', about={"short_description": "<script>alert(1)</script>"}))
    for url in ("/", "/api/courses/v1/courses/course-v1:Org+Demo+1"):
        text = (await client.get(url, headers=HTML)).text
        assert "3 &lt; 4 &amp; &quot;x&quot;" in text
        assert "<script>" not in text
    assert "<script>" not in (await client.get("/?search_term=<script>", headers=HTML)).text


async def test_the_about_page_is_chosen_by_accept(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    await bus.hear(
        a_course(about={"overview": '<h2 onclick="x()">About</h2><img src="/static/a b.png"><script>x()</script>'})
    )
    url = "/api/courses/v1/courses/course-v1:Org+Demo+1"
    page = await client.get(url, headers=HTML)
    assert page.headers["content-type"].startswith("text/html")
    assert "Accept" in page.headers["vary"]
    assert "<h2>About</h2>" in page.text
    assert "/asset-v1:Org+Demo+1+type@asset+block@a_b.png" in page.text
    for accept in ("*/*", "application/json", "application/json, text/html"):
        answer = await client.get(url, headers={"Accept": accept})
        assert answer.json()["id"] == "course-v1:Org+Demo+1"
        assert "Accept" in answer.headers["vary"]
    assert (await client.get(url, headers={"Accept": "image/png"})).status_code == 406


async def test_people_look_with_their_own_eyes(client: Client, bus: Bus, a_course: MakeCourse) -> None:
    hidden, rita = a_course(visible_to_staff_only=True), a_caller("rita")
    await bus.hear(hidden)
    await bus.role(hidden, rita)
    url = "/api/courses/v1/courses/course-v1:Org+Demo+1"
    assert "Course Demo" in (await client.get("/", rita, headers=HTML)).text
    assert "Course Demo" in (await client.get(url, rita, headers=HTML)).text
    assert "Course Demo" not in (await client.get("/", headers=HTML)).text
    missing = await client.get(url, headers=HTML)
    assert (missing.status_code, "Course not found." in missing.text) == (404, True)


async def test_courses_outside_the_catalogue_are_not_on_the_front_page(
    client: Client, bus: Bus, a_course: MakeCourse
) -> None:
    await bus.hear(a_course(catalog_visibility="about"))
    assert "There are no courses yet." in (await client.get("/", headers=HTML)).text


def test_authors_html_is_sanitised() -> None:
    dirty = '<section class="x"><a href="javascript:x()">a</a><style>*{}</style><iframe src="//e"></iframe></section>'
    clean = sanitise(dirty, KEY)
    assert clean.startswith("<section>")
    assert not any(word in clean for word in ("javascript", "style", "iframe"))


async def test_the_catalogue_is_refined_by_what_its_courses_have(
    client: Client, bus: Bus, a_course: MakeCourse
) -> None:
    await bus.hear(
        a_course("A", language="ar", self_paced=True), a_course("B", language="en"), a_course("course-v1:Beta+C+1")
    )
    page = (await client.get("/", headers=HTML)).text
    assert '<option value="Org">Org (2)</option>' in page
    assert '<option value="ar">العربية (1)</option>' in page
    assert '<option value="audit">Audit (3)</option>' in page
    chosen = (await client.get("/?org=org&pacing=self&search_term=course", headers=HTML)).text
    assert "1 course<" in chosen
    assert '<option value="Org" selected>Org (1)</option>' in chosen
    assert 'href="/?search_term=course&amp;pacing=self"' in chosen
    assert "Filters (2)" in chosen
    assert "No course was found." in (await client.get("/?language=xx", headers=HTML)).text
    for query, status in (("pacing=slow", 400), ("page=7", 404), ("cursor=x", 400), ("search_term=a&page=3", 404)):
        assert (await client.get(f"/?{query}", headers=HTML)).status_code == status


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({}, "Open for enrollment<"),
        ({"enrollment_end": "2999-05-06T00:00:00Z"}, "Open for enrollment until May 6, 2999"),
        ({"enrollment_start": "2999-05-06T00:00:00Z"}, "Enrollment opens on May 6, 2999"),
        ({"enrollment_end": "2001-09-06T00:00:00Z"}, "Enrollment closed on Sept. 6, 2001"),
        ({"invitation_only": True}, "Enrollment by invitation only"),
    ],
)
async def test_the_about_page_tells_whether_one_can_enroll_now(
    client: Client, bus: Bus, a_course: MakeCourse, said: dict[str, object], state: str
) -> None:
    await bus.hear(a_course(**said))
    page = (await client.get("/api/courses/v1/courses/course-v1:Org+Demo+1", headers=HTML)).text
    assert state in page
    assert "<td>Audit</td><td>Free</td><td>–</td>" in page
