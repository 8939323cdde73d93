import uuid
from datetime import UTC, datetime

import pytest

from common.testing.identity import a_caller
from import_export.tasks.litter import clear_litter

COURSE = "course-v1:Org+Sample+2030"
STAFF = a_caller("staff", staff=True)
AUTHOR = a_caller("alice", user_id=7)
STRANGER = a_caller("mallory", user_id=8)


@pytest.fixture
def begun(http, archive):
    async def begin(caller=STAFF, **query):
        return (await http.push(archive, caller=caller, **query)).json()["task_id"]

    return begin


async def test_a_task_has_the_shape_clients_rely_on(http, begun):
    task_id = await begun(dry_run="1")
    task = await http.task(task_id)
    assert {name: task[name] for name in ("task_id", "kind", "course_id", "state", "stage", "percent", "error")} == {
        "task_id": task_id,
        "kind": "import",
        "course_id": COURSE,
        "state": "Pending",
        "stage": "",
        "percent": 0,
        "error": None,
    }
    assert task["report_url"] == f"http://lectern.test/api/v0/tasks/{task_id}/report"
    assert task["options"]["dry_run"] is True
    assert task["requested_by"] == "staff"


@pytest.mark.parametrize("path", ["", "/report"])
@pytest.mark.parametrize("task_id", ["3f0c5a52-8a2e-4f2c-9b55-0d5f5f1d9a11", "x", "%00", "0" * 400])
async def test_an_unknown_task_is_404(http, task_id, path):
    answer = await http("GET", f"/api/v0/tasks/{task_id}{path}")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "task_not_found")


@pytest.mark.parametrize(("caller", "status"), [(STAFF, 200), (AUTHOR, 200), (STRANGER, 404)])
async def test_tasks_are_seen_by_the_courses_authors(http, db, caller, status, add_course, begun):
    await add_course()
    task_id = await begun()
    assert (await http("GET", f"/api/v0/tasks/{task_id}", caller)).status_code == status
    assert (await http("POST", f"/api/v0/tasks/{task_id}/cancel", caller)).status_code == status


async def test_whoever_began_a_task_sees_it_without_any_role(http, db, add_course, begun):
    await add_course()
    task_id = await begun(AUTHOR)
    await db.execute("delete from course_team")
    assert (await http.task(task_id, AUTHOR))["task_id"] == task_id


async def test_tasks_are_listed_newest_first_page_by_page(http, db, add_course, begun, archive):
    await add_course()
    await add_course("course-v1:Org+Other+1", authors=())
    mine = [await begun(AUTHOR) for _ in range(3)]
    other = (await http.push(archive, "course-v1:Org+Other+1")).json()["task_id"]

    async def listed(caller, **query):
        answer = await http("GET", "/api/v0/tasks", caller, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    first = await listed(AUTHOR, course_id=COURSE, page_size="2")
    assert (first["count"], first["num_pages"], first["previous"]) == (3, 2, None)
    assert [task["task_id"] for task in first["results"]] == mine[:0:-1]
    second = await http("GET", first["next"].removeprefix("http://lectern.test"), AUTHOR)
    assert [task["task_id"] for task in second.json()["results"]] == mine[:1]
    assert (await listed(AUTHOR))["count"] == 3
    assert (await listed(STAFF))["results"][0]["task_id"] == other
    assert (await listed(STRANGER))["count"] == 0
    assert (await http("GET", "/api/v0/tasks", STRANGER, params={"course_id": COURSE})).status_code == 403


async def test_a_waiting_import_can_be_canceled_once(http, db, resources, begun):
    task_id = await begun()
    answer = await http("POST", f"/api/v0/tasks/{task_id}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "Canceled")
    again = await http("POST", f"/api/v0/tasks/{task_id}/cancel/")
    assert (again.status_code, again.json()["error_code"]) == (409, "too_late_to_cancel")
    assert await clear_litter(resources) >= 1
    assert await resources.blobs.size(f"uploads/{task_id}") is None
    assert await db.fetchval("select payload->>'state' from outbox where type like 'import_export.%'") == "Canceled"


async def test_an_import_that_content_has_heard_of_runs_to_its_end(http, db, begun):
    task_id = await begun()
    await db.execute("update job set phase = 'asked', state = 'Updating'")
    answer = await http("POST", f"/api/v0/tasks/{task_id}/cancel")
    assert answer.status_code == 409
    assert (await http.task(task_id))["state"] == "Updating"


async def test_an_idempotency_key_makes_one_task_of_two_uploads(http, db, resources, archive):
    async def push(more=b"", key="k1", **query):
        headers = {"content-type": "application/x-tgz", "idempotency-key": key}
        return await http("POST", f"/api/v0/import/{COURSE}", content=archive + more, headers=headers, params=query)

    first, again = await push(), await push()
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert first.headers["location"] == again.headers["location"]
    assert await db.fetchval("select count(*) from job") == 1
    assert (await push(more=b"x")).status_code == 422
    assert (await push(dry_run="true")).json()["error_code"] == "idempotency_key_reused"
    assert (await push(key="k2")).json() != first.json()
    assert (await push(key="bad key")).status_code == 400
    kept = await db.fetch("select id from job")
    uploads = await resources.blobs.list_keys("uploads")
    assert str(uploads).count(first.json()["task_id"]) == 1
    assert {f"uploads/{row['id']}" for row in kept} <= set(uploads)


async def test_a_task_is_a_page_for_people(http, db, begun):
    task_id = await begun()
    await db.execute("""update job set error = '{"code": "x", "message": "<b>", "member": "a&b"}'""")
    page = await http("GET", f"/api/v0/tasks/{task_id}", headers={"accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "&lt;b&gt;" in page.text
    assert "<b>" not in page.text
    assert (await http("GET", f"/api/v0/tasks/{task_id}", headers={"accept": "image/png"})).status_code == 406


class TestUpstreamsFace:
    path = f"/api/courses/v0/import/{COURSE}/"

    async def test_it_answers_200_and_tells_the_state(self, http, archive):
        answer = await http("POST", self.path, files={"course_data": ("c.tar.gz", archive)})
        assert (answer.status_code, list(answer.json())) == (200, ["task_id"])
        query = answer.json() | {"filename": "c.tar.gz"}
        state = await http("GET", self.path, params=query)
        assert (state.status_code, state.json()) == (200, {"state": "Pending"})
        assert (await http("GET", self.path[:-1], params=query)).status_code == 200

    @pytest.mark.parametrize(
        ("query", "status", "code"),
        [
            ({}, 400, "missing_parameter"),
            ({"task_id": "x"}, 400, "missing_parameter"),
            ({"task_id": "x", "filename": "c.tar.gz"}, 404, "task_not_found"),
            ({"task_id": str(uuid.uuid4()), "filename": "c.tar.gz"}, 404, "task_not_found"),
        ],
    )
    async def test_what_upstream_fails_at_is_a_plain_refusal(self, http, query, status, code):
        answer = await http("GET", self.path, params=query)
        assert (answer.status_code, answer.json()["error_code"]) == (status, code)

    async def test_the_file_must_be_the_tasks(self, http, archive):
        task_id = (await http("POST", self.path, files={"course_data": ("c.tar.gz", archive)})).json()["task_id"]
        answer = await http("GET", self.path, params={"task_id": task_id, "filename": "d.tar.gz"})
        assert answer.status_code == 404

    async def test_another_courses_author_is_refused(self, http, db, add_course):
        await add_course()
        answer = await http("GET", self.path, STRANGER, params={"task_id": "x", "filename": "y"})
        assert answer.json() == {
            "developer_message": "The requesting user does not have course author permissions.",
            "error_code": "user_permissions",
        }

    async def test_a_failure_is_told_with_its_reason(self, http, db, archive):
        task_id = (await http("POST", self.path, files={"course_data": ("c.tar.gz", archive)})).json()["task_id"]
        await db.execute("""update job set state = 'Failed', error = '{"code": "x", "message": "y"}'""")
        answer = await http("GET", self.path, params={"task_id": task_id, "filename": "c.tar.gz"})
        assert answer.json() == {"state": "Failed", "error": {"code": "x", "message": "y"}}


async def test_routes_that_are_not_there_answer_in_the_familys_shape(http):
    for method, path, status in (("GET", f"/api/v0/import/{COURSE}", 405), ("GET", "/api/v0/nothing", 404)):
        answer = await http(method, path)
        assert answer.status_code == status
        assert set(answer.json()) == {"developer_message", "error_code"}


async def test_without_the_gateways_token_nothing_is_answered(http):
    answer = await http.client.get(f"/api/v0/tasks/{uuid.uuid4()}")
    assert (answer.status_code, answer.json()["error_code"]) == (401, "invalid_identity")


async def test_job_times_are_utc(http, begun):
    task = await http.task(await begun())
    assert datetime.fromisoformat(task["created"]).astimezone(UTC).tzinfo is UTC
