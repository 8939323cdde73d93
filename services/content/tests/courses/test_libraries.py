"""Content libraries: trees with one branch, at the same addresses as courses, and in no list of courses."""

import pytest

from common.keys import CourseKey
from common.testing.identity import a_caller

ADMIN = a_caller("admin", staff=True)
MAKER = a_caller("maker", grants=("Org",))
LIBRARY = CourseKey.parse("library-v1:Org+Lib")
URL = f"/course/{LIBRARY}"
ALL = "/api/content/v1/libraries"
NEW = {"org": "Org", "library": "Lib", "display_name": "Problems"}


def a_library(a_draft):
    draft = a_draft(LIBRARY)
    draft.blocks, draft.drafts, draft.files = {}, {}, {}
    draft.block("library@library", "problem@p", "html@h", display_name="Problems")
    draft.block("problem@p", data="<problem/>", display_name="P")
    draft.block("html@h", data="<p>hello</p>", display_name="H")
    document = draft.document
    draft.document = lambda: document() | {"root": "library@library"}
    return draft


async def test_a_library_is_created_listed_and_read_by_its_team(client, bus):
    answer = await client.post(ALL, MAKER, json=NEW, headers={"Idempotency-Key": "one"})
    assert (answer.status_code, answer.json()["course_key"]) == (201, "library-v1:Org+Lib")
    again = await client.post(ALL, MAKER, json=NEW, headers={"Idempotency-Key": "one"})
    assert (again.status_code, again.json()) == (201, answer.json())
    (line,) = (await client.get(ALL, MAKER)).json()
    assert (line["id"], line["display_name"], line["url"]) == ("library-v1:Org+Lib", "Problems", URL)
    assert (await client.get(ALL, a_caller("else"))).json() == []
    assert len((await client.get(ALL, a_caller("o", org_roles=(("Org", "staff"),)))).json()) == 1
    assert (await client.get(ALL)).status_code == 401
    body = (await client.get(URL, MAKER)).json()
    assert (body["id"], body["branch"], body["display_name"]) == ("library-v1:Org+Lib", "library", "Problems")
    assert body["root"] == "lib-block-v1:Org+Lib+type@library+block@library"
    assert (await client.get("/course", ADMIN)).json() == []
    types = [row["type"] for row in await bus.resources.pool.fetch("select type from outbox")]
    assert "enrollment.enroll.v1" not in types
    (said,) = await bus.announced("content.course.created.v1")
    assert (said["course_id"], said["run"], said["guid"]) == ("library-v1:Org+Lib", "library", body["version"])


async def test_a_library_is_imported_whole_and_exported_the_same(client, bus, a_draft):
    library = a_library(a_draft)
    first = await bus.import_course(library, by=MAKER)
    assert (first.outcome, first.version) == ("done", 2), first
    assert first.draft_guid == first.published_guid
    snapshot = await bus.snapshot(LIBRARY, by=MAKER)
    document = await bus.read_snapshot(snapshot)
    assert document["root"] == "library@library"
    assert document["blocks"].keys() == library.blocks.keys()
    assert (document["run"], document["drafts"]) == ("library", {})
    assert document["assets"].keys() == library.assets.keys()
    assert (await bus.snapshot(LIBRARY, branch="published", if_not_version=first.draft_guid)).outcome == "unchanged"
    assert (await bus.import_course(library, by=MAKER)).outcome == "unchanged"
    library.blocks["html@h"]["fields"] = {"data": "<p>new</p>"}
    changed = await bus.import_course(library, by=MAKER, expected_head=first.draft_guid)
    assert (changed.outcome, changed.counts["blocks_changed"]) == ("done", 1)
    stale = await bus.import_course(library, by=MAKER, expected_head=first.draft_guid)
    assert stale.code == "stale_head"
    old = await bus.read_snapshot(await bus.snapshot(LIBRARY, version=first.draft_guid))
    assert old["blocks"]["html@h"]["fields"] == {"data": "<p>hello</p>"}
    block = (await client.get("/xblock/lib-block-v1:Org+Lib+type@html+block@h", MAKER)).json()
    assert (block["data"], block["id"]) == ("<p>new</p>", "lib-block-v1:Org+Lib+type@html+block@h")
    history = (await client.get(f"/api/content/v1/history/{LIBRARY}", MAKER)).json()
    assert (history["branch"], history["count"]) == ("library", 2)
    diff = (await client.get(f"/api/content/v1/versions/{history['head']}/diff", MAKER)).json()
    assert [line["id"] for line in diff["blocks"]["changed"]] == ["lib-block-v1:Org+Lib+type@html+block@h"]
    back = await client.post(f"/api/content/v1/revert/{LIBRARY}", MAKER, json={"version": first.draft_guid})
    assert back.json()["changed"] == ["library"]
    block = (await client.get("/xblock/lib-block-v1:Org+Lib+type@html+block@h", MAKER)).json()
    assert block["data"] == "<p>hello</p>"


async def test_a_course_is_no_library_and_a_library_no_course(bus, a_draft):
    library, course = a_library(a_draft), a_draft()
    library.course = course.course
    assert (await bus.import_course(library)).code == "snapshot_invalid"
    course.course = LIBRARY
    assert (await bus.import_course(course)).code == "snapshot_invalid"
    assert await bus.resources.pool.fetchval("select count(*) from course") == 0


async def test_a_library_is_renamed_deleted_and_restored(client, bus, a_draft):
    await bus.import_course(a_library(a_draft), by=MAKER)
    renamed = await client.request("PATCH", URL, MAKER, json={"display_name": "Sums"})
    assert (renamed.status_code, renamed.json()["display_name"]) == (200, "Sums")
    assert (await client.request("DELETE", f"{URL}/branch/library", ADMIN)).json()["error_code"] == "only_branch"
    assert (await client.request("DELETE", URL, MAKER)).status_code == 204
    assert (await client.get(URL, ADMIN)).status_code == 404
    assert [event["course_id"] for event in await bus.announced("content.course.deleted.v1")] == [str(LIBRARY)]
    assert (await client.post(f"/api/content/v1/deleted_courses/{LIBRARY}/restore", MAKER)).status_code == 200
    assert (await client.get(URL, MAKER)).json()["display_name"] == "Sums"


@pytest.mark.parametrize(
    ("caller", "body", "status", "code"),
    [
        (a_caller(None), NEW, 401, "not_authenticated"),
        (a_caller("nobody"), NEW, 403, "creator_permission_required"),
        (MAKER, {**NEW, "library": "a b"}, 400, "bad_course_key"),
        (MAKER, {**NEW, "library": ""}, 400, "bad_course_key"),
        (MAKER, {"org": "Org"}, 400, "invalid"),
        (MAKER, [], 400, "malformed"),
    ],
)
async def test_who_may_create_a_library(client, bus, caller, body, status, code):
    answer = await client.post(ALL, caller, json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert await bus.resources.pool.fetchval("select count(*) from course") == 0


async def test_a_library_exists_once_and_others_may_not_read_it(client, bus, a_draft):
    await client.post(ALL, MAKER, json=NEW)
    assert (await client.post(ALL, ADMIN, json={**NEW, "org": "org"})).json()["error_code"] == "course_exists"
    await bus.import_course(a_library(a_draft), by=MAKER)
    block = "/xblock/lib-block-v1:Org+Lib+type@html+block@h"
    for caller, status in ((a_caller(None), 401), (a_caller("else"), 403), (MAKER, 200), (ADMIN, 200)):
        assert (await client.get(URL, caller)).status_code == status
        assert (await client.get(block, caller)).status_code == status
