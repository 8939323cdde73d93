"""History over HTTP: pages of versions, one block's forms, differences, and what is not published yet."""

import pytest

from common.testing.identity import a_caller

ADMIN = a_caller("admin", staff=True)
ROBOT = a_caller("robot")
COURSE = "course-v1:Org+Demo+1"
HISTORY = f"/api/content/v1/history/{COURSE}"


async def edits(bus, a_draft, count: int = 3) -> None:
    """The demo course, then *count* imports that each change one thing."""
    await bus.import_course(a_draft())
    for number in range(count):
        draft = a_draft()
        draft.blocks["html@intro"]["settings"] = {"display_name": f"Intro {number}"}
        source = {"repo": "https://git.example/demo", "sha": f"{number:040x}", "message": "A commit"}
        answer = await bus.import_course(draft, archive_digest=f"digest {number}", source=source)
        assert answer.outcome == "done"


async def test_history_says_who_when_why_and_from_what_and_pages_without_a_gap(client, bus, a_draft):
    await edits(bus, a_draft, 4)
    whole = (await client.get(HISTORY, ADMIN)).json()
    assert (whole["course_id"], whole["branch"], whole["count"], whole["next_cursor"]) == (COURSE, "draft", 5, None)
    assert [line["number"] for line in whole["results"]] == [5, 4, 3, 2, 1]
    newest, oldest = whole["results"][0], whole["results"][-1]
    assert newest["version"] == whole["head"]
    assert (newest["is_head"], oldest["is_head"], oldest["previous"]) == (True, False, None)
    assert {line["original"] for line in whole["results"]} == {oldest["version"]}
    assert (newest["edited_by"], newest["reason"]) == ("robot", "import")
    assert newest["source"] == {
        "archive": "digest 3", "repo": "https://git.example/demo", "sha": f"{3:040x}", "message": "A commit",
    }  # fmt: skip
    assert newest["edited_on"]
    walked, url = [], f"{HISTORY}?page_size=2"
    while url:
        page = (await client.get(url, ADMIN)).json()
        assert len(page["results"]) <= 2
        walked += page["results"]
        url = page["next"]
    assert walked == whole["results"]


async def test_each_branch_has_its_own_history_in_every_spelling(client, bus, a_draft):
    await edits(bus, a_draft)
    draft = (await client.get(HISTORY, ADMIN)).json()
    published = (await client.get(f"{HISTORY}/branch/published", ADMIN)).json()
    assert published["branch"] == "published"
    assert {line["version"] for line in draft["results"]}.isdisjoint(line["version"] for line in published["results"])
    for spelling in ("Org.Demo.1/branch/published", "edx://Org.Demo.1/branch/published-branch", "Org/Demo/1"):
        answer = await client.get(f"/api/content/v1/history/{spelling}", ADMIN)
        assert answer.status_code == 200, spelling


async def test_a_block_has_its_own_history_with_what_changed_and_when_it_went(client, bus, a_draft):
    await edits(bus, a_draft, 2)
    without = a_draft()
    without.blocks["vertical@u1"]["children"] = ["video@film"]
    del without.blocks["html@intro"]
    await bus.import_course(without)
    await bus.import_course(a_draft())
    url = f"{HISTORY}/branch/draft/block/intro"
    body = (await client.get(url, ADMIN)).json()
    assert body["block"] == "block-v1:Org+Demo+1+type@html+block@intro"
    assert [line["change"] for line in body["results"]] == ["added", "removed", "changed", "changed", "added"]
    assert [line["number"] for line in body["results"]] == [5, 4, 3, 2, 1]
    changed = body["results"][2]
    assert changed["changes"] == [{"scope": "settings", "field": "display_name", "from": "Intro 0", "to": "Intro 1"}]
    assert changed["source"]["sha"] == f"{1:040x}"
    walked, page = [], f"{url}?page_size=1"
    while page:
        answer = (await client.get(page, ADMIN)).json()
        walked += answer["results"]
        page = answer["next"]
    assert walked == body["results"]
    by_key = "block-v1:Org+Demo+1+branch@draft-branch+type@html+block@intro"
    assert (await client.get(f"/api/content/v1/history/{by_key}", ADMIN)).json()["results"] == body["results"]


async def test_a_version_says_what_it_is_and_what_it_changed(client, bus, a_draft):
    await edits(bus, a_draft, 2)
    lines = (await client.get(HISTORY, ADMIN)).json()["results"]
    url = f"/api/content/v1/versions/{lines[0]['version']}"
    version = (await client.get(url, ADMIN)).json()
    assert version == lines[0] | {"course_id": COURSE}
    diff = (await client.get(f"{url}/diff", ADMIN)).json()
    assert (diff["before"]["version"], diff["after"]["version"]) == (lines[1]["version"], lines[0]["version"])
    (changed,) = diff["blocks"]["changed"]
    assert changed["id"] == "block-v1:Org+Demo+1+type@html+block@intro"
    assert changed["fields"] == [{"scope": "settings", "field": "display_name", "from": "Intro 0", "to": "Intro 1"}]
    backwards = f"/api/content/v1/versions/{lines[1]['version']}/diff?from={lines[0]['version']}"
    (turned,) = (await client.get(backwards, ADMIN)).json()["blocks"]["changed"]
    assert (turned["fields"][0]["from"], turned["fields"][0]["to"]) == ("Intro 1", "Intro 0")
    first = (await client.get(f"/api/content/v1/versions/{lines[-1]['version']}/diff", ADMIN)).json()
    assert first["before"] is None
    assert len(first["blocks"]["added"]) == 12
    assert [line["name"] for line in first["assets"]["added"]] == ["pics_a_b.png"]
    assert [line["path"] for line in first["files"]["added"]] == ["policies/grading_policy.json"]
    assert len(first["pages"]["added"]) == 3


async def test_the_two_ways_of_comparing_find_the_same(client, bus, a_draft, monkeypatch):
    await edits(bus, a_draft, 2)
    moved = a_draft()
    moved.blocks["vertical@u2"]["children"] = ["problem@sum", "video@film"]
    moved.blocks["vertical@u1"]["children"] = ["html@intro"]
    del moved.files["policies/grading_policy.json"]
    moved.asset("new.txt", b"new")
    await bus.import_course(moved)
    lines = (await client.get(HISTORY, ADMIN)).json()["results"]
    urls = [
        f"/api/content/v1/versions/{one['version']}/diff?from={other['version']}" for one in lines for other in lines
    ]
    near = [(await client.get(url, ADMIN)).json() for url in urls]
    monkeypatch.setattr("content.history.queries.NEAR", -1)
    far = [(await client.get(url, ADMIN)).json() for url in urls]
    assert near == far
    assert near[0]["blocks"] == {"added": [], "removed": [], "moved": [], "changed": []}


async def test_publish_state_is_what_learners_do_not_have_yet(client, bus, a_draft):
    await bus.import_course(a_draft())
    url = f"/api/content/v1/publish_state/{COURSE}"
    state = (await client.get(url, ADMIN)).json()
    assert (state["has_changes"], state["blocks"]["changed"]) == (False, [])
    draft = a_draft()
    draft.block("problem@sum", data="<problem/>", draft={"parent": "vertical@u2"}, display_name="Sum 2")
    draft.block("html@late", data="<p>", draft={"parent": "vertical@u2"})
    await bus.import_course(draft)
    state = (await client.get(url, ADMIN)).json()
    assert state["has_changes"] is True
    assert [line["id"].rpartition("@")[2] for line in state["blocks"]["added"]] == ["late"]
    assert {line["id"].rpartition("@")[2] for line in state["blocks"]["changed"]} == {"sum", "u2"}
    assert state["draft"] != state["published"]


async def test_only_the_team_and_global_staff_read_history(client, bus, demo):
    guid = (await client.get(HISTORY, ADMIN)).json()["head"]
    learner = a_caller("learner")
    await bus.enroll(learner)
    urls = [HISTORY, f"{HISTORY}/branch/published", f"/api/content/v1/versions/{guid}",
            f"/api/content/v1/versions/{guid}/diff", f"/api/content/v1/publish_state/{COURSE}"]  # fmt: skip
    for url in urls:
        for caller, status, code in (
            (a_caller(None), 401, "not_authenticated"),
            (learner, 403, "user_permissions"),
            (a_caller("granted", grants=("Org",)), 403, "user_permissions"),
            (ROBOT, 200, None),
            (a_caller("o", org_roles=(("Org", "staff"),)), 200, None),
        ):
            answer = await client.get(url, caller)
            assert (answer.status_code, answer.json().get("error_code")) == (status, code), url


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        (f"{HISTORY}?cursor=x", 400, "bad_cursor"),
        (f"{HISTORY}?cursor=-1", 400, "bad_cursor"),
        (f"{HISTORY}?cursor={'9' * 19}", 400, "bad_cursor"),
        (f"{HISTORY}?page_size=0", 400, "bad_page_size"),
        (f"{HISTORY}?page_size=501", 400, "bad_page_size"),
        (f"{HISTORY}?page_size=%C2%B2", 400, "bad_page_size"),
        (f"{HISTORY}/branch/nothing", 404, "course_not_found"),
        (f"{HISTORY}/branch/draft/block/none", 404, "block_not_found"),
        (f"{HISTORY}/branch/draft/block/%25", 404, "block_not_found"),
        ("/api/content/v1/history/course-v1:Org+None+1", 404, "course_not_found"),
        ("/api/content/v1/history/%00", 404, "course_not_found"),
        ("/api/content/v1/history/", 404, "course_not_found"),
        ("/api/content/v1/publish_state/x", 404, "course_not_found"),
        (f"/api/content/v1/versions/{'0' * 24}", 404, "version_not_found"),
        (f"/api/content/v1/versions/{'0' * 32}/diff", 404, "version_not_found"),
        ("/api/content/v1/versions/x", 404, "version_not_found"),
    ],
)
async def test_bad_addresses_are_refused_in_words(client, demo, url, status, code):
    answer = await client.get(url, ADMIN)
    assert (answer.status_code, answer.json().get("error_code")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_one_version_is_no_branch(client, bus, demo):
    guid = (await client.get(HISTORY, ADMIN)).json()["head"]
    answer = await client.get(f"/api/content/v1/history/version/{guid}", ADMIN)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "bad_locator")
    answer = await client.get(f"/api/content/v1/versions/{guid}/diff?from=x", ADMIN)
    assert (answer.status_code, answer.json()["error_code"]) == (404, "version_not_found")
