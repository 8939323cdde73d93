"""Pages as a person meets them: narrow and wide, light and dark, by keyboard, with a quiet console."""

import io
import itertools

import pytest
from PIL import Image

from common.testing.identity import a_caller
from content.checklists.models import TEMPLATE
from content.thumbnails.operations import draw_waiting

KEY = "course-v1:Org+Demo+1"
UNIT = "block-v1:Org+Demo+1+type@{}+block@{}"
PAGES = {
    "courses": "/course",
    "outline": f"/course/{KEY}",
    "chapter": f"/xblock/{UNIT.format('chapter', 'one')}",
    "sequential": f"/item/{UNIT.format('sequential', 'a')}",
    "unit": f"/xblock/{UNIT.format('vertical', 'u1')}",
    "problems": f"/xblock/{UNIT.format('vertical', 'u2')}",
    "unknown": f"/xblock/{UNIT.format('vertical', 'u3')}",
    "page": f"/xblock/{UNIT.format('static_tab', 'syllabus')}",
    "files": f"/assets/{KEY}",
    "file": f"/assets/{KEY}/red.png",
    "checklists": f"/checklists/{KEY}",
    "library": "/course/library-v1:Org+Lib",
    "problem of the library": "/xblock/lib-block-v1:Org+Lib+type@problem+block@",
    "definition": "/definition/",
}
FOR_THE_TEAM = ("files", "file", "checklists", "library", "problem of the library", "definition")
ADMIN = a_caller("admin", staff=True)
QUESTIONS = """<problem>
<multiplechoiceresponse><label>1 + 1?</label><choicegroup><choice correct="true">two</choice></choicegroup>
</multiplechoiceresponse>
<choiceresponse><label>Even?</label><checkboxgroup><choice correct="true">four</choice></checkboxgroup></choiceresponse>
<numericalresponse answer="1764"><label>42 squared?</label><formulaequationinput/></numericalresponse>
<stringresponse answer="Lisbon"><label>Capital?</label><textline/></stringresponse>
<optionresponse><label>Which?</label><optioninput><option correct="True">this</option></optioninput></optionresponse>
<solution><p>Because it is so.</p></solution></problem>"""


@pytest.fixture(scope="module")
async def filled(reading, a_draft):
    """The pages by name, those with made-up names in their addresses included."""
    client, bus = reading
    draft = a_draft()
    draft.block("vertical@u2", "problem@sum", "problem@many", "discussion@talk", display_name="Unit 2")
    draft.block("problem@many", data=QUESTIONS, display_name="Many kinds")
    draft.block("discussion@talk", display_name="Talk", discussion_category="Week 1", discussion_target="Sums")
    draft.block("html@intro", data='<p>Hello <a href="/jump_to_id/u2">on</a></p><h3>Wide</h3><table><tr>'
                + "<td>a cell of some width</td>" * 30 + "</tr></table><p>" + "long" * 200 + "</p>")  # fmt: skip
    out = io.BytesIO()
    Image.new("RGB", (300, 150), "red").save(out, "PNG")
    draft.asset("red.png", out.getvalue(), content_type="image/png")
    answer = await bus.import_course(draft)
    assert answer.outcome == "done", answer
    await bus.enroll(a_caller("learner"))
    await draw_waiting(bus.resources.pool, bus.resources.blobs)
    made = await client.post(
        "/api/content/v1/libraries", ADMIN, json={"org": "Org", "library": "Lib", "display_name": "Shelf"}
    )
    assert made.status_code == 201, made.text
    root = "lib-block-v1:Org+Lib+type@library+block@library"
    new = {"parent_locator": root, "category": "problem", "display_name": "Lent out"}
    block = (await client.post("/xblock/", ADMIN, json=new)).json()["locator"]
    written = await client.request("PUT", f"/xblock/{block}", ADMIN, json={"data": QUESTIONS})
    assert written.status_code == 200, written.text
    definition = (await client.get(f"/xblock/{block}", ADMIN)).json()["definition"]
    return PAGES | {"problem of the library": f"/xblock/{block}", "definition": f"/definition/{definition}"}


@pytest.mark.parametrize(("width", "dark"), [(360, False), (1280, True)], ids=["narrow", "wide-dark"])
async def test_pages_fit_and_are_well_formed(filled, open_page, width, dark):
    for name, path in filled.items():
        async with open_page(path, who="team" if name in FOR_THE_TEAM else "learner", width=width, dark=dark) as page:
            assert await page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert await page.locator("h1").count() == 1, name
            assert await page.locator("main").count() == 1, name
            levels = await page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => +h.tagName[1])")
            assert all(below <= above + 1 for above, below in itertools.pairwise(levels)), (name, levels)
            unnamed = await page.evaluate(
                "[...document.querySelectorAll('input,select,textarea')].filter(e => !e.labels.length"
                " && !e.getAttribute('aria-label')).length"
            )
            assert unnamed == 0, name
            landmarks = await page.evaluate("[...document.querySelectorAll('nav')].map(n => n.ariaLabel)")
            assert len(set(landmarks)) == len(landmarks), (name, landmarks)
            images = await page.evaluate("[...document.images].filter(i => !i.hasAttribute('alt')).length")
            assert images == 0, name
            assert await page.evaluate(_CONTRAST) == [], name


# Text against the ground it stands on, as WCAG 2 counts it; pictures and disabled inputs aside.
_CONTRAST = """() => {
  const parse = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > .99) return c; } return [255, 255, 255]; };
  return [...document.querySelectorAll('main *, header *, footer')].filter(e =>
      [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) && !e.closest('.skip, option, [disabled]'))
    .map(e => { const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))];
      return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.outerHTML.slice(0, 80)]; })
    .filter(([ratio]) => ratio < 4.5);
}"""


async def test_the_way_through_a_course_by_keyboard(filled, open_page):
    async with open_page(PAGES["outline"]) as page:
        await page.keyboard.press("Tab")
        skip = page.locator(":focus")
        assert await skip.text_content() == "Skip to the content"
        assert (await skip.bounding_box())["x"] >= 0
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.closest('main') !== null")
        ring = await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert ring != "none"
        await page.get_by_role("link", name="Unit 1").press("Enter")
        await page.wait_for_url("**/*u1")
        assert await page.locator("nav.side [aria-current=page]").text_content() == "Unit 1"
        await page.get_by_role("link", name="Unit 2 →").press("Enter")
        await page.wait_for_url("**/*u2")


async def test_questions_are_shown_and_their_answers_are_not(filled, open_page):
    async with open_page(PAGES["problems"]) as page:
        text = (await page.locator("main").inner_text()).split("\n")
        assert {"1 + 1?", "42 squared?", "Capital?", "two", "four"} <= {line.strip() for line in text}
        inputs = {"input[type=radio]": 3, "input[type=checkbox]": 1, "input[type=text]": 2, "select": 1}
        for selector, count in inputs.items():
            assert await page.locator(f"main {selector}").count() == count, selector
        assert await page.locator("main input:enabled, main select:enabled").count() == 0
        source = await page.content()
        assert not [word for word in ("1764", "Lisbon", "correct", "Because it is so", "yes indeed") if word in source]
        assert "Week 1 › Sums" in source


async def test_a_video_can_be_watched_and_an_unknown_block_is_named(filled, open_page):
    async with open_page(PAGES["unit"]) as page:
        assert await page.get_by_role("link", name="Watch on YouTube").is_visible()
        assert await page.get_by_role("link", name="English").count() == 1
    async with open_page(PAGES["unknown"]) as page:
        assert "gizmo" in await page.locator("main").inner_text()


async def test_files_are_searched_with_the_form(filled, open_page):
    async with open_page(PAGES["files"], who="team") as page:
        assert await page.locator("table tbody tr").count() == 2
        assert await page.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
        await page.get_by_label("Name contains").fill("red")
        await page.get_by_label("Order").select_option("Largest first")
        await page.get_by_role("button", name="Show").click()
        await page.wait_for_url("**text_search=red**")
        assert await page.locator("table tbody tr").count() == 1
        assert await page.get_by_label("Name contains").input_value() == "red"
        assert await page.get_by_label("Order").evaluate("e => e.selectedOptions[0].text") == "Largest first"


async def test_the_teams_pages_lead_to_each_other(filled, open_page):
    async with open_page(f"/course/{KEY}", who="team") as page:
        await page.get_by_role("link", name="Checklists").click()
        await page.wait_for_url("**/checklists/*")
        assert await page.get_by_role("checkbox").count() == sum(len(checklist.items) for checklist in TEMPLATE)
        assert await page.locator("main input:enabled").count() == 0
        await page.get_by_role("link", name="Edit the outline").first.click()
        await page.wait_for_url("**/course/*")
        await page.get_by_role("link", name="Files and uploads").click()
        await page.wait_for_url("**/assets/*")
    async with open_page(filled["library"], who="team") as page:
        assert await page.get_by_role("link", name="Checklists").count() == 0
        await page.get_by_role("link", name="Lent out").click()
        await page.wait_for_url("**/xblock/lib-block-v1:*")
        assert await page.locator("h1").text_content() == "Lent out"
        assert await page.locator("main input[type=radio]").count() == 1


@pytest.mark.parametrize(
    ("path", "who", "status", "said"),
    [
        ("/xblock/block-v1:Org+Demo+1+type@html+block@none", "learner", 404, "There is no such page"),
        (f"/assets/{KEY}", "learner", 403, "This page is not open to you"),
        ("/assets/No.Such.Course", "learner", 404, "There is no such page"),
        (f"/assets/{KEY}/asset-v1:nonsense", "learner", 400, "This cannot be shown"),
        (f"/checklists/{KEY}", "learner", 403, "This page is not open to you"),
        (f"/course/{KEY}/branch/draft", "learner", 403, "This page is not open to you"),
    ],
)
async def test_refusals_are_pages_too(reading, filled, path, who, status, said):
    client, _ = reading
    answer = await client.page(path, a_caller(who))
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert f"<h1>{said}</h1>" in answer.text
    anonymous = await client.page(f"/assets/{KEY}?page=2")
    assert (anonymous.status_code, anonymous.headers["location"][:13]) == (302, "/login?next=/")
    other = await client.get(path, a_caller(who), headers={"Accept": "image/png"})
    assert other.status_code == 406
