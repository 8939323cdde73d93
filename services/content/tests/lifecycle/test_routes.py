"""Deleting, restoring, making again, running again: nothing is lost, no counter starts again."""

import pytest

from common.keys import CourseKey
from common.testing.identity import a_caller

ADMIN = a_caller("admin", staff=True)
MAKER = a_caller("maker", grants=("Org",))
COURSE = "course-v1:Org+Demo+1"
URL = f"/course/{COURSE}"
HISTORY = f"/api/content/v1/history/{COURSE}"
NEW = {"org": "Org", "number": "Demo", "run": "1", "display_name": "Again"}


async def versions(bus, kind: str = "content.course") -> list[tuple[str, int]]:
    return [
        (row["type"].split(".")[2], row["payload"]["version"])
        for row in await bus.resources.pool.fetch("select type, payload from outbox order by position")
        if row["type"].startswith(f"{kind}.")
    ]


async def test_a_deleted_course_is_gone_everywhere_and_announced(client, bus, demo):
    guid = (await client.get(HISTORY, ADMIN)).json()["head"]
    answer = await client.request("DELETE", URL, MAKER)
    assert (answer.status_code, answer.content) == (204, b"")
    assert await versions(bus) == [("created", 1), ("published", 2), ("deleted", 3)]
    (said,) = await bus.announced("content.course.deleted.v1")
    assert (said["course_id"], bool(said["deleted_at"])) == (COURSE, True)
    assert (await client.get("/course", ADMIN)).json() == []
    for url in (URL, f"{URL}/branch/draft", "/course/Org.Demo.1", f"/course/version/{guid}", HISTORY,
                f"/xblock/{COURSE.replace('course', 'block')}+type@html+block@intro",
                f"/xblock/version/{guid}/block/intro", f"/api/content/v1/versions/{guid}",
                "/asset-v1:Org+Demo+1+type@asset+block@pics_a_b.png", f"/assets/{COURSE}",
                f"/api/content/v1/course_team/{COURSE}"):  # fmt: skip
        assert (await client.get(url, ADMIN)).status_code == 404, url
    assert (await client.request("DELETE", URL, MAKER)).status_code == 404
    snapshot = await bus.snapshot()
    assert (snapshot.outcome, snapshot.code) == ("rejected", "not_found")


async def test_a_restored_course_is_there_as_it_was(client, bus, demo):
    tree = (await client.get(URL, ADMIN)).json()["tree"]
    await client.request("DELETE", URL, MAKER)
    deleted = "/api/content/v1/deleted_courses"
    assert [line["course_id"] for line in (await client.get(deleted, MAKER)).json()] == [COURSE]
    assert (await client.get(deleted, a_caller("x", grants=("Other",)))).json() == []
    answer = await client.post(f"{deleted}/{COURSE}/restore", MAKER, headers={"Idempotency-Key": "k"})
    assert (answer.status_code, answer.json()) == (200, {"course_id": COURSE, "url": URL})
    again = await client.post(f"{deleted}/{COURSE}/restore", MAKER, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()) == (200, answer.json())
    body = (await client.get(URL, a_caller("robot"))).json()
    assert body["tree"] == tree
    assert await versions(bus) == [
        ("created", 1), ("published", 2), ("deleted", 3), ("created", 4), ("published", 5),
    ]  # fmt: skip
    refused = await client.post(f"{deleted}/{COURSE}/restore", MAKER)
    assert (refused.status_code, refused.json()["error_code"]) == (404, "course_not_deleted")


async def test_a_course_made_again_is_new_and_counts_on(client, bus, demo):
    old = (await client.get(HISTORY, ADMIN)).json()
    ticked = {"items": [{"is_checked": True}] * 4}
    assert (await client.request("PUT", f"/checklists/{COURSE}/0", ADMIN, json=ticked)).status_code == 200
    opened = {"info": {"audiences": [{"kind": "authenticated"}]}}
    assert (await client.request("PATCH", f"/api/content/v1/access/{COURSE}", ADMIN, json=opened)).status_code == 200
    await client.request("DELETE", URL, MAKER)
    assert (await client.post("/course", MAKER, json=NEW)).status_code == 200
    body = (await client.get(URL, MAKER)).json()
    assert (body["display_name"], body["tree"]["children"]) == ("Again", [])
    assert [version for _, version in await versions(bus)] == [1, 2, 3, 4, 5]
    team = (await client.get(f"/api/content/v1/course_team/{COURSE}", MAKER)).json()["members"]
    assert [member["username"] for member in team] == ["maker"]
    assert (await client.get(f"{URL}/branch/draft", a_caller("robot"))).status_code == 403
    teams = await bus.announced("content.course_team.changed.v1")
    assert [event["version"] for event in teams] == [1, 2, 3]
    assert {m["username"]: m["removed"] for m in teams[-1]["members"]} == {"robot": True, "maker": False}
    history = (await client.get(HISTORY, MAKER)).json()
    assert [line["reason"] for line in history["results"]] == ["create", "import"]
    assert history["results"][1]["version"] == old["head"]
    assert (await client.get(f"/course/version/{old['head']}", MAKER)).json()["display_name"] == "A Demo"
    assert (await client.get("/assets/" + COURSE, MAKER)).json()["assets"] == []
    lists = (await client.get(f"/checklists/{COURSE}", MAKER)).json()
    assert not any(item["is_checked"] for checklist in lists for item in checklist["items"])
    assert await bus.resources.pool.fetchval("select count(*) from access_policy") == 0


async def test_an_import_makes_a_deleted_course_again(client, bus, demo):
    await client.request("DELETE", URL, MAKER)
    again = await bus.import_course(demo, by=MAKER)
    assert (again.outcome, again.version) == ("done", 5)
    assert len((await client.get(URL, MAKER)).json()["tree"]["children"]) == 2
    assert [version for _, version in await versions(bus)] == [1, 2, 3, 4, 5]
    refused = await bus.import_course(demo, by=a_caller("other", grants=("Other",)))
    assert refused.code == "permission_denied"


async def test_a_name_taken_meanwhile_keeps_the_deleted_course_away(client, bus):
    first = {**NEW, "org": "Org", "number": "a.b", "run": "1"}
    await client.post("/course", ADMIN, json=first)
    await client.request("DELETE", "/course/course-v1:Org+a.b+1", ADMIN)
    await client.post("/course", ADMIN, json={**NEW, "org": "Org.a", "number": "b", "run": "1"})
    answer = await client.post("/api/content/v1/deleted_courses/course-v1:Org+a.b+1/restore", ADMIN)
    assert (answer.status_code, answer.json()["error_code"]) == (409, "course_name_taken")
    again = await client.post("/course", ADMIN, json=first)
    assert (again.status_code, again.json()["error_code"]) == (409, "course_name_taken")


async def test_the_published_branch_deleted_leaves_learners_nothing_and_the_team_its_draft(client, bus, demo):
    learner = a_caller("learner")
    await bus.enroll(learner)
    assert (await client.get(URL, learner)).status_code == 200
    answer = await client.request("DELETE", f"{URL}/branch/published", ADMIN)
    assert answer.status_code == 204
    assert (await client.get(URL, learner)).status_code == 404
    assert (await client.get(f"{URL}/branch/published", ADMIN)).status_code == 404
    assert len((await client.get(URL, ADMIN)).json()["tree"]["children"]) == 2
    said = (await bus.announced("content.course.published.v1"))[-1]
    assert (said["version"], said["course"]["visible_to_staff_only"], said["about"]) == (3, True, {})
    assert (await client.get("/course")).json() == []
    before = (await client.get(f"{HISTORY}/branch/published", ADMIN)).json()["results"][1]["version"]
    back = await client.post(f"/api/content/v1/revert/{COURSE}/branch/published", ADMIN, json={"version": before})
    assert (back.status_code, back.json()["changed"]) == (200, ["published"])
    assert (await client.get(URL, learner)).status_code == 200


async def test_the_draft_branch_deleted_is_what_is_published(client, bus, a_draft):
    draft = a_draft()
    draft.block("html@late", data="<p>", draft={"parent": "vertical@u2"})
    await bus.import_course(draft)
    answer = await client.request("DELETE", f"{URL}/branch/draft", a_caller("robot"))
    assert answer.status_code == 204
    state = (await client.get(f"/api/content/v1/publish_state/{COURSE}", ADMIN)).json()
    assert state["has_changes"] is False
    assert (await client.request("DELETE", f"{URL}/branch/draft", a_caller("robot"))).status_code == 204
    assert (await client.get(HISTORY, ADMIN)).json()["count"] == 2


@pytest.mark.parametrize(
    ("method", "path", "caller", "status", "code"),
    [
        ("DELETE", URL, a_caller(None), 401, "not_authenticated"),
        ("DELETE", URL, a_caller("nobody"), 403, "creator_permission_required"),
        ("DELETE", URL, a_caller("robot"), 403, "creator_permission_required"),
        ("DELETE", URL, a_caller("other", grants=("Organic",)), 403, "creator_permission_required"),
        ("DELETE", URL, a_caller("other", grants=("Org.Other",)), 403, "creator_permission_required"),
        ("DELETE", f"{URL}/branch/published", a_caller("robot"), 403, "creator_permission_required"),
        ("DELETE", f"{URL}/branch/draft", a_caller("nobody"), 403, "user_permissions"),
        ("DELETE", f"{URL}/branch/other", ADMIN, 404, "course_not_found"),
        ("DELETE", f"{URL}/block/intro", ADMIN, 400, "bad_locator"),
        ("DELETE", "/course/course-v1:Org+None+1", ADMIN, 404, "course_not_found"),
        ("DELETE", "/course/%00", ADMIN, 404, "course_not_found"),
        ("DELETE", "/course/", ADMIN, 404, "course_not_found"),
        ("POST", f"/api/content/v1/deleted_courses/{COURSE}/restore", a_caller(None), 401, "not_authenticated"),
        ("POST", f"/api/content/v1/deleted_courses/{COURSE}/restore", ADMIN, 404, "course_not_deleted"),
        ("POST", "/api/content/v1/deleted_courses/x/restore", ADMIN, 404, "course_not_deleted"),
        ("GET", "/api/content/v1/deleted_courses", a_caller(None), 401, "not_authenticated"),
    ],
)
async def test_who_may_delete_what(client, bus, demo, method, path, caller, status, code):
    before = len(await bus.announced())
    answer = await client.request(method, path, caller)
    assert (answer.status_code, answer.json().get("error_code")) == (status, code), answer.text
    assert len(await bus.announced()) == before


async def test_a_deletion_meant_for_another_version_is_refused(client, bus, demo):
    answer = await client.request("DELETE", URL, ADMIN, headers={"If-Match": '"0123456789abcdef01234567"'})
    assert (answer.status_code, answer.json()["error_code"]) == (412, "stale_version")
    head = (await client.get(HISTORY, ADMIN)).json()["head"]
    assert answer.json()["current_version"] == head
    assert (await client.request("DELETE", URL, ADMIN, headers={"If-Match": f'"{head}"'})).status_code == 204


async def test_a_rerun_shares_definitions_and_files_and_costs_rows(client, bus, demo):
    await bus.account(MAKER)
    await client.request("PUT", f"/api/content/v1/course_team/{COURSE}/maker", ADMIN, json={"role": "staff"})
    pool = bus.resources.pool
    before = await pool.fetchval("select count(*) from definition")
    body = {**NEW, "run": "2", "display_name": "Run 2", "source_course_key": COURSE, "start": "2031-01-01"}
    answer = await client.post("/course", MAKER, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["destination_course_key"] == "course-v1:Org+Demo+2"
    assert answer.json()["url"] == "/course/course-v1:Org+Demo+2"
    assert await pool.fetchval("select count(*) from definition") == before
    course = (await client.get("/course/course-v1:Org+Demo+2", MAKER)).json()
    assert (course["display_name"], course["start"]) == ("Run 2", "2031-01-01T00:00:00Z")
    one = await bus.read_snapshot(await bus.snapshot(branch="published"))
    other = await bus.read_snapshot(await bus.snapshot(CourseKey.parse("course-v1:Org+Demo+2"), branch="published"))
    one["blocks"].pop("course@course"), other["blocks"].pop("course@course")
    assert (one["blocks"], one["assets"], one["files"]) == (other["blocks"], other["assets"], other["files"])
    history = (await client.get("/api/content/v1/history/course-v1:Org+Demo+2", MAKER)).json()["results"]
    assert [(line["reason"], line["source"]["rerun_of"]) for line in history] == [("rerun", COURSE)]
    state = (await client.get("/api/content/v1/publish_state/course-v1:Org+Demo+2", MAKER)).json()
    assert state["has_changes"] is False
    types = [kind for kind, _ in await versions(bus)]
    assert types == ["created", "published"] * 2
    stale = await pool.fetchval(
        """select count(*) from block b join branch br on br.id = b.branch_id
           where br.course_key = $1 and br.name = 'published' and b.source_version is distinct from 1""",
        "course-v1:Org+Demo+2",
    )
    assert stale <= 1


@pytest.mark.parametrize(
    ("caller", "change", "status", "code"),
    [
        (a_caller(None), {}, 401, "not_authenticated"),
        (a_caller("nobody"), {}, 403, "creator_permission_required"),
        (MAKER, {}, 403, "user_permissions"),
        (ADMIN, {"source_course_key": "course-v1:Org+None+1"}, 404, "source_course_not_found"),
        (ADMIN, {"source_course_key": "x y"}, 404, "source_course_not_found"),
        (ADMIN, {"source_course_key": 7}, 400, "invalid"),
        (ADMIN, {"run": "1"}, 409, "course_exists"),
        (ADMIN, {"start": "soon"}, 400, "bad_date"),
        (a_caller("both", grants=("Org",), org_roles=(("Org", "staff"),)), {}, 200, None),
    ],
)
async def test_who_may_run_a_course_again(client, bus, demo, caller, change, status, code):
    answer = await client.post("/course", caller, json={**NEW, "run": "2", "source_course_key": COURSE} | change)
    assert (answer.status_code, answer.json().get("error_code")) == (status, code), answer.text
    assert await bus.resources.pool.fetchval("select count(*) from course") == (2 if status == 200 else 1)
