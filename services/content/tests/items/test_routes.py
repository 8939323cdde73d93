"""`/course` and `/xblock`, as JSON and as pages: who reads what."""

import asyncio

import pytest

from common.testing.identity import a_caller

B = "block-v1:Org+Demo+1+type@"
ADMIN = a_caller("admin", staff=True)
LEARNER = a_caller("learner")
STRANGER = a_caller("stranger")
TEACHER = a_caller("robot")
NOBODY = a_caller(None)
ANSWERS = ("It is two", "yes indeed", "(x) two", 'correct="true"', "secret")


@pytest.fixture
async def enrolled(bus, demo):
    await bus.enroll(LEARNER)
    return demo


@pytest.mark.parametrize(
    ("caller", "status"), [(LEARNER, 200), (TEACHER, 200), (ADMIN, 200), (STRANGER, 403), (NOBODY, 401)]
)
@pytest.mark.parametrize(
    "place",
    [
        f"{B}html+block@intro",
        f"{B}html+block@intro/",
        f"{B.replace('+', '%2B')}html%2Bblock@intro",
        "block-v1:Org+Demo+1+branch@published-branch+type@html+block@intro",
        "i4x://Org/Demo/html/intro",
        "course-v1:Org+Demo+1/branch/published/block/intro",
        "Org/Demo/1/block/intro",
        "Org.Demo.1/block/intro",
        "org.demo.1/branch/published/block/intro",
        "edx://Org.Demo.1/branch/published-branch/block/intro",
        "edx:/Org.Demo.1/block/intro",
    ],
)
async def test_a_block_is_found_by_every_spelling_by_those_who_may_read_it(client, enrolled, place, caller, status):
    for prefix in ("/xblock", "/item", "/api/content/v1/xblock"):
        answer = await client.get(f"{prefix}/{place}", caller)
        assert answer.status_code == status, (prefix, answer.text)
        assert answer.headers["vary"] == "Accept"
        if status == 200:
            assert answer.json()["id"] == f"{B}html+block@intro"
        if status != 200 and caller is STRANGER:
            break


async def test_a_learner_gets_links_that_work_and_the_team_those_to_files(client, enrolled):
    learner = (await client.get(f"/xblock/{B}html+block@intro", LEARNER)).json()
    assert f"/xblock/{B}vertical+block@u2" in learner["data"]
    assert "/asset-v1:Org+Demo+1+type@asset+block@pics_a_b.png" in learner["data"]
    stored = enrolled.blocks["html@intro"]["fields"]["data"]
    assert "/static/" in stored
    assert "/jump_to_id/" in stored
    team = (await client.get(f"/xblock/{B}html+block@intro", TEACHER)).json()
    assert "/asset-v1:Org+Demo+1+type@asset+block@pics_a_b.png" in team["data"]
    assert "/static/" not in team["data"]
    assert "/jump_to_id/" in team["data"]
    assert team["fields"]["data"] == stored
    for caller in (LEARNER, TEACHER):
        raw = (await client.get(f"/xblock/{B}html+block@intro?rewrite_url_links=false", caller)).json()
        assert raw["data"] == stored


async def test_the_team_gets_every_field(client, enrolled):
    answer = await client.get(f"/xblock/{B}problem+block@sum", TEACHER)
    item = answer.json()
    assert item["data"] == enrolled.blocks["problem@sum"]["fields"]["data"]
    assert item["metadata"] == enrolled.blocks["problem@sum"]["settings"]
    assert item["fields"] == enrolled.blocks["problem@sum"]["fields"]
    assert (item["category"], item["graded"], item["published"], item["branch"]) == ("problem", True, True, "draft")
    assert item["edited_by"] == "robot"
    assert answer.headers["etag"].startswith(f'"{item["version"]}.')
    assert item["definition"].startswith("def-v1:")


async def test_an_item_is_a_block_with_all_below_it_and_their_content(client, bus, demo):
    demo.blocks["vertical@u2"]["settings"]["visible_to_staff_only"] = True
    await bus.import_course(demo)
    await bus.enroll(LEARNER)
    for place in (f"{B}sequential+block@a", "Org.Demo.1/branch/published/block/a"):
        team = (await client.get(f"/item/{place}", TEACHER)).json()["tree"]
        assert [unit["id"] for unit in team["children"]] == [f"{B}vertical+block@u1", f"{B}vertical+block@u2"]
        problem = team["children"][1]["children"][0]
        assert problem == {
            "_id": f"{B}problem+block@sum", "id": f"{B}problem+block@sum", "category": "problem", "children": [],
            "display_name": "Sum", "data": demo.blocks["problem@sum"]["fields"]["data"],
            "metadata": demo.blocks["problem@sum"]["settings"], "fields": demo.blocks["problem@sum"]["fields"],
        }  # fmt: skip
        answer = await client.get(f"/api/content/v1/item/{place}", LEARNER)
        (unit,) = answer.json()["tree"]["children"]
        html, video = unit["children"]
        assert f"/xblock/{B}vertical+block@u2" in html["data"]
        assert video["metadata"]["youtube_id_1_0"] == "abcdefghijk"
        assert "1 + 1" not in answer.text
    assert "tree" not in (await client.get(f"/xblock/{B}sequential+block@a", TEACHER)).json()
    page = (await client.get(f"/item/{B}about+block@overview", LEARNER)).json()
    assert (page["tree"]["data"], page["tree"]["children"]) == ("<h2>About it</h2>", [])


async def test_a_shared_block_is_opened_up_once_in_an_item(client, bus, demo):
    demo.blocks["sequential@b"]["children"] = ["vertical@u1", "vertical@u3"]
    await bus.import_course(demo)
    chapters = (await client.get(f"/item/{B}course+block@course", TEACHER)).json()["tree"]["children"]
    units = [[len(unit["children"]) for unit in chapter["children"][0]["children"]] for chapter in chapters]
    assert units == [[2, 1], [0, 1]]


@pytest.mark.parametrize("caller", [TEACHER, LEARNER])
@pytest.mark.parametrize(
    "url",
    ["/course/course-v1:Org+Demo+1", f"/xblock/{B}html+block@intro", f"/xblock/{B}course+block@course", "/course"],
)
async def test_what_the_caller_has_already_is_not_sent_again(client, enrolled, url, caller):
    first = await client.get(url, caller)
    for known in (first.headers["etag"], f"W/{first.headers['etag']}", f'"x", {first.headers["etag"]}', "*"):
        again = await client.get(url, caller, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["vary"]) == (304, b"", "Accept")
        assert again.headers["etag"] == first.headers["etag"]
    other = await client.get(url, caller, headers={"If-None-Match": '"x"'})
    assert (other.status_code, other.content) == (200, first.content)


async def test_publishing_a_draft_changes_the_tag_of_what_is_said_about_it(client, bus, enrolled):
    url = f"/xblock/{B}vertical+block@u1"
    await client.request("PUT", f"/xblock/{B}html+block@intro", TEACHER, json={"data": "<p>Draft</p>"})
    draft = await client.get(url, TEACHER)
    assert draft.json()["has_changes"] is True
    await client.request("PUT", url, TEACHER, json={"publish": "make_public"})
    published = await client.get(url, TEACHER, headers={"If-None-Match": draft.headers["etag"]})
    assert (published.status_code, published.json()["has_changes"]) == (200, False)
    assert published.json()["version"] == draft.json()["version"]


@pytest.mark.parametrize("block", ["problem@sum", "vertical@u2", "gizmo@thing", "course@course", "sequential@a"])
async def test_answers_never_reach_a_learner(client, enrolled, block):
    block_type, _, name = block.partition("@")
    for prefix in ("/xblock", "/item"):
        url = f"{prefix}/{B}{block_type}+block@{name}"
        for answer in (await client.get(url, LEARNER), await client.page(url, LEARNER)):
            assert answer.status_code == 200
            for words in ANSWERS:
                assert words not in answer.text, url
    assert "data" not in (await client.get(f"/xblock/{B}problem+block@sum", LEARNER)).json()


async def test_what_is_not_released_does_not_exist_for_learners(client, bus, demo):
    demo.blocks["vertical@u2"]["settings"]["start"] = "2999-01-01T00:00:00Z"
    await bus.import_course(demo)
    await bus.enroll(LEARNER)
    for block in ("vertical+block@u2", "problem+block@sum", "html+block@none"):
        answer = await client.get(f"/xblock/{B}{block}", LEARNER)
        assert answer.status_code == 404
        assert answer.json()["error"] == f"Can't find item by location: {B}{block}"
        page = await client.page(f"/xblock/{B}{block}", LEARNER)
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    page = await client.page(f"/xblock/{B}sequential+block@a", LEARNER)
    assert "Unit 1" in page.text
    assert "Unit 2" not in page.text
    assert (await client.get(f"/xblock/{B}problem+block@sum", TEACHER)).status_code == 200
    parent = (await client.get(f"/xblock/{B}sequential+block@a", LEARNER)).json()
    assert parent["children"] == [f"{B}vertical+block@u1"]


async def test_drafts_and_old_versions_are_the_teams(client, bus, demo):
    first = (await client.get(f"/xblock/{B}html+block@intro", TEACHER)).json()
    demo.block("html@intro", data="<p>Draft</p>", draft={"parent": "vertical@u1", "index": 0})
    await bus.import_course(demo)
    await bus.enroll(LEARNER)
    draft = (await client.get(f"/xblock/{B}html+block@intro", TEACHER)).json()
    assert (draft["data"], draft["has_changes"], draft["published"]) == ("<p>Draft</p>", None, True)
    unit = (await client.get(f"/xblock/{B}vertical+block@u1", TEACHER)).json()
    assert (unit["has_changes"], unit["visibility_state"]) == (True, "needs_attention")
    branch = "block-v1:Org+Demo+1+branch@{}-branch+type@html+block@intro"
    published = await client.get(f"/xblock/{branch.format('published')}", TEACHER)
    assert published.json()["data"] == first["data"]
    assert (await client.get(f"/xblock/{branch.format('draft')}", LEARNER)).status_code == 403
    assert (await client.get(f"/xblock/{branch.format('draft')}", NOBODY)).status_code == 401
    assert (await client.get(f"/xblock/{branch.format('other')}", TEACHER)).status_code == 404
    for place in (
        f"version/{first['version']}/block/intro",
        f"block-v1:version@{first['version']}+type@html+block@intro",
    ):
        assert (await client.get(f"/xblock/{place}", TEACHER)).json()["data"] == first["data"]
        assert (await client.get(f"/xblock/{place}", LEARNER)).status_code == 403
    head = published.json()["version"]
    assert (await client.get(f"/xblock/version/{head}/block/intro", LEARNER)).status_code == 200
    assert (await client.get(f"/xblock/version/{'0' * 24}/block/intro", TEACHER)).status_code == 404


async def test_an_enrollment_on_its_way_is_waited_for(patient_client, bus, demo):
    late = a_caller("late")

    async def enroll_soon() -> None:
        await asyncio.sleep(0.15)
        await bus.enroll(late)

    answers = await asyncio.gather(patient_client.get(f"/xblock/{B}html+block@intro", late), enroll_soon())
    assert answers[0].status_code == 200


@pytest.mark.parametrize(
    ("accept", "kind", "status"),
    [
        (None, "application/json", 200),
        ("*/*", "application/json", 200),
        ("application/json, text/html;q=0.5", "application/json", 200),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8", 200),
        ("image/png", "application/json", 406),
    ],
)
async def test_the_form_is_the_clients_choice(client, enrolled, accept, kind, status):
    headers = {"Accept": accept} if accept else {"Accept": ""}
    for url in (f"/xblock/{B}html+block@intro", "/course/course-v1:Org+Demo+1", "/course"):
        answer = await client.get(url, LEARNER, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (status, kind)


async def test_a_unit_is_a_page_of_its_blocks_with_the_way_on(client, enrolled):
    page = await client.page(f"/xblock/{B}vertical+block@u2", LEARNER)
    assert page.status_code == 200
    assert page.headers["vary"] == "Accept"
    assert "script" not in page.headers["content-security-policy"]
    text = page.text
    assert "<h1>Unit 2</h1>" in text
    assert "1 + 1?" in text
    assert text.count('type="radio"') == 2
    assert text.count("disabled") == 2
    assert f'rel="prev" href="/xblock/{B}vertical+block@u1"' in text
    assert f'rel="next" href="/xblock/{B}vertical+block@u3"' in text
    first = (await client.page(f"/xblock/{B}vertical+block@u1", LEARNER)).text
    assert 'rel="prev"' not in first
    assert "https://www.youtube.com/watch?v=abcdefghijk" in first
    assert "film-en.srt" in first
    last = (await client.page(f"/xblock/{B}vertical+block@u3", LEARNER)).text
    assert "<code>gizmo</code>" in last
    assert 'rel="next"' not in last
    leaf = (await client.page(f"/xblock/{B}problem+block@sum", LEARNER)).text
    assert f'href="/xblock/{B}vertical+block@u3"' in leaf


async def test_a_page_refused_is_a_page(client, enrolled):
    page = await client.page(f"/xblock/{B}html+block@intro", STRANGER)
    assert (page.status_code, page.headers["content-type"]) == (403, "text/html; charset=utf-8")
    page = await client.page(f"/xblock/{B.replace('+', '%2B')}html%2Bblock@intro", NOBODY)
    assert page.status_code == 302
    assert page.headers["location"].startswith("/login?next=/xblock/block-v1%3AOrg%252BDemo")


async def test_pages_beside_the_tree(client, bus, enrolled):
    assert (await client.get(f"/xblock/{B}static_tab+block@syllabus", LEARNER)).json()["data"] == "<p>Week by week</p>"
    assert "Week by week" in (await client.page(f"/xblock/{B}static_tab+block@syllabus", LEARNER)).text
    enrolled.blocks["static_tab@syllabus"]["settings"]["course_staff_only"] = True
    await bus.import_course(enrolled)
    assert (await client.get(f"/xblock/{B}static_tab+block@syllabus", LEARNER)).status_code == 404


@pytest.mark.parametrize(
    ("caller", "tree", "team"),
    [(NOBODY, False, False), (STRANGER, False, False), (LEARNER, True, False), (TEACHER, True, True)],
)
@pytest.mark.parametrize("spelling", ["course-v1:Org+Demo+1", "Org/Demo/1", "Org.Demo.1", "edx://org.demo.1"])
async def test_course_info_is_for_all_its_tree_for_learners_its_editing_for_the_team(
    client, enrolled, spelling, caller, tree, team
):
    answer = await client.get(f"/course/{spelling}", caller)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["display_name"], body["start"], body["run"]) == ("A Demo", "2020-01-01T00:00:00Z", "1")
    assert body["about"] == {"overview": "<h2>About it</h2>", "effort": "2 hours"}
    assert ("tree" in body) == tree
    assert ("child_info" in body) == ("versions" in body) == team
    if tree:
        assert body["tree"]["_id"] == f"{B}course+block@course"
        assert body["tree"]["children"][0]["children"][0]["children"][1]["children"][0] == {
            "_id": f"{B}problem+block@sum", "id": f"{B}problem+block@sum", "display_name": "Sum",
            "category": "problem", "children": [],
        }  # fmt: skip
        assert "data" not in body["tree"]
    if team:
        chapter = body["child_info"]["children"][0]
        assert (chapter["category"], chapter["visibility_state"], chapter["has_changes"]) == ("chapter", "live", None)
        unit = chapter["child_info"]["children"][0]["child_info"]["children"][0]
        assert unit["has_changes"] is False
        assert "child_info" not in unit


async def test_branches_and_secrets_of_a_course(client, bus, demo, a_draft):
    draft = a_draft(lti_passports=["tool:key:secret"])
    await bus.import_course(draft)
    await bus.enroll(LEARNER)
    for url in ("/course/course-v1:Org+Demo+1", f"/xblock/{B}course+block@course"):
        assert "tool:key" not in (await client.get(url, LEARNER)).text
        assert "tool:key" in (await client.get(url, TEACHER)).text
    assert (await client.get("/course/course-v1:Org+Demo+1/branch/draft", LEARNER)).status_code == 403
    body = (await client.get("/course/course-v1:Org+Demo+1/branch/published", TEACHER)).json()
    assert body["branch"] == "published"
    old = body["versions"]["published-branch"]
    assert (await client.get(f"/course/version/{old}", TEACHER)).json()["version"] == old


@pytest.mark.parametrize("place", ["course-v1:No+Such+1", "nonsense", "No.Such.1", "course-v1:Org+Demo+1/branch/other"])
async def test_an_unknown_course_is_404(client, demo, place):
    answer = await client.get(f"/course/{place}", TEACHER)
    assert (answer.status_code, answer.json()["error"]) == (404, "Course not found.")
    assert (await client.page(f"/course/{place}", TEACHER)).status_code == 404
    problem = await client.get(f"/api/content/v1/course/{place}", TEACHER)
    assert problem.headers["content-type"] == "application/problem+json"


async def test_a_course_for_staff_only_does_not_exist_for_others(client, bus, a_draft):
    await bus.import_course(a_draft(visible_to_staff_only=True))
    await bus.enroll(LEARNER)
    assert (await client.get("/course/course-v1:Org+Demo+1", LEARNER)).status_code == 404
    assert (await client.get("/course/course-v1:Org+Demo+1", TEACHER)).status_code == 200


async def test_the_outline_is_a_page(client, enrolled):
    page = await client.page("/course/course-v1:Org+Demo+1", LEARNER)
    assert page.status_code == 200
    for words in ("<h1>A Demo</h1>", "About it", "Homework", f'href="/xblock/{B}vertical+block@u3"'):
        assert words in page.text
    nobody = await client.page("/course/course-v1:Org+Demo+1", NOBODY)
    assert "About it" in nobody.text
    assert "Unit 1" not in nobody.text
    team = await client.page("/course/course-v1:Org+Demo+1", TEACHER)
    assert "This is the draft" in team.text
