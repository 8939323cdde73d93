"""Every page of a course other people made, and every link on those pages."""

from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from lxml import html

from common.keys import CourseKey
from common.testing.identity import a_caller

pytestmark = pytest.mark.bonus
COURSE = CourseKey.parse("course-v1:OpenedX+DemoX+DemoCourse")
LEARNER = a_caller("learner")
TEAM = a_caller("admin", staff=True)
GATEWAY = ("/login", "/logout")
_LINKS = (("a", "href"), ("img", "src"), ("source", "src"), ("track", "src"), ("video", "poster"), ("link", "href"))


@pytest.fixture(scope="module")
async def client(reading, import_archive, repository: Path, tmp_path_factory: pytest.TempPathFactory):
    archive = repository.parent / "shared/courses/openedx-demo-course.tar.gz"
    if not archive.exists():
        pytest.skip(f"{archive} is not here: the demo course was not tried")
    client, bus = reading
    await import_archive(bus, archive, COURSE, tmp_path_factory.mktemp("spool"))
    await bus.enroll(LEARNER, course=COURSE)
    return client


def links_of(page: str, address: str) -> set[str]:
    """Addresses on this site that the page leads to, fragments cut off."""
    found = set()
    for element in html.fromstring(page).iter():
        for tag, attribute in _LINKS:
            link = element.get(attribute) if element.tag == tag else None
            if link and not link.startswith(("data:", "mailto:", "#")):
                whole = urlsplit(urljoin(f"https://here{address}", link))
                if whole.netloc == "here":
                    found.add(whole.path + (f"?{whole.query}" if whole.query else ""))
    return found


@pytest.mark.parametrize("caller", [LEARNER, TEAM], ids=["learner", "team"])
async def test_every_link_of_every_page_leads_somewhere(client, caller):
    waiting, seen, broken, pages = [f"/course/{COURSE}"], set(), {}, 0
    while waiting:
        address = waiting.pop()
        if address in seen or address == "/" or address.startswith(GATEWAY):
            continue
        seen.add(address)
        answer = await client.page(address, caller)
        if answer.status_code != 200:
            broken[unquote(address)] = answer.status_code
            continue
        if answer.headers["content-type"].startswith("text/html") and not address.startswith("/asset"):
            pages += 1
            document = html.fromstring(answer.text)
            assert len(document.findall(".//h1")) == 1, address
            assert "<script" not in answer.text, address
            assert not {"/static/", "/jump_to"} & set(answer.text.split('"')), address
            waiting += links_of(answer.text, address) - seen
    assert broken == {}
    assert pages > 80
