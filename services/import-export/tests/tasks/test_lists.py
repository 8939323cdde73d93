import asyncio
import csv
import io
import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest

from common.testing.identity import a_caller
from import_export.tasks.litter import clear_litter
from import_export.tasks.models import Job, State
from import_export.tasks.operations import finish_job

COURSE = "course-v1:Org+Sample+2030"
STAFF = a_caller("staff", staff=True)
AUTHOR = a_caller("alice", user_id=7)
STRANGER = a_caller("mallory", user_id=8)


@pytest.fixture
async def tasks(http, db, add_course, archive):
    """An import that failed, one that waits (with provenance), and an export."""
    await add_course()
    failed = (await http.push(archive, caller=AUTHOR)).json()["task_id"]
    error = '{"code": "x", "message": "=cmd()"}'
    await db.execute(
        "update job set state = 'Failed', phase = 'done', error = $1::jsonb, created_at = now() - interval '1 day'",
        error,
    )
    waiting = (await http.push(archive + b"x", source_sha="abc", message="@x")).json()["task_id"]
    export = (await http("POST", f"/api/v1/exports/{COURSE}", AUTHOR)).json()["task_id"]
    return {"failed": failed, "waiting": waiting, "export": export}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["export", "waiting", "failed"]),
        ("kind=import", ["waiting", "failed"]),
        ("state=Failed", ["failed"]),
        ("state=In+Progress", ["export"]),
        ("requested_by=alice", ["export", "failed"]),
        ("source_sha=abc", ["waiting"]),
        ("created_before={between}", ["failed"]),
        ("created_after={between}", ["export", "waiting"]),
        ("kind=import&state=", ["waiting", "failed"]),
    ],
)
async def test_lists_are_narrowed(http, tasks, query, names):
    between = quote((datetime.now(UTC) - timedelta(hours=12)).isoformat())
    answer = await http("GET", f"/api/v0/tasks?{query.format(between=between)}")
    assert answer.status_code == 200, answer.text
    assert [task["task_id"] for task in answer.json()["results"]] == [tasks[name] for name in names]
    assert answer.json()["count"] == len(names)


@pytest.mark.parametrize(
    ("path", "names"), [("/api/v1/imports", ["waiting", "failed"]), ("/api/v1/exports/", ["export"])]
)
async def test_each_kind_has_a_list_of_its_own(http, tasks, path, names):
    answer = await http("GET", path)
    assert [task["task_id"] for task in answer.json()["results"]] == [tasks[name] for name in names]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("kind=nothing", "kind"),
        ("state=succeeded", "state"),
        ("created_after=yesterday", "created_after"),
        ("created_after=0001-01-01T00:00:00%2B23:59", "created_after"),
        ("requested_by=%00", "requested_by"),
        ("source_sha=" + "x" * 3000, "source_sha"),
    ],
)
async def test_bad_filters_are_named(http, query, field):
    answer = await http("GET", f"/api/v0/tasks?{query}")
    assert (answer.status_code, list(answer.json()["field_errors"])) == (400, [field])


async def test_a_list_is_a_table_too_and_no_cell_is_a_formula(http, tasks):
    answer = await http("GET", "/api/v0/tasks", headers={"accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["task_id"] for row in rows] == [tasks[name] for name in ("export", "waiting", "failed")]
    assert (rows[2]["error_message"], rows[1]["source_sha"]) == ("'=cmd()", "abc")
    assert (await http("GET", "/api/v0/tasks?format=csv")).text == answer.text


async def test_a_task_is_found_under_its_own_kind_only(http, tasks):
    assert (await http("GET", f"/api/v1/imports/{tasks['waiting']}")).json()["task_id"] == tasks["waiting"]
    assert (await http("GET", f"/api/v1/exports/{tasks['export']}/")).json()["kind"] == "export"
    for path in (f"/api/v1/exports/{tasks['waiting']}", f"/api/v1/imports/{uuid.uuid4()}"):
        answer = await http("GET", path)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "task_not_found")
    assert (await http("GET", f"/api/v1/imports/{tasks['failed']}/report")).json()["entries"][0]["code"] == "x"
    canceled = await http("POST", f"/api/v1/imports/{tasks['waiting']}/cancel")
    assert canceled.json()["state"] == "Canceled"
    assert (await http("POST", f"/api/v1/exports/{tasks['export']}/cancel")).json()["state"] == "Canceled"
    late = await http("POST", f"/api/v1/imports/{tasks['failed']}/cancel")
    assert (late.status_code, late.json()["title"]) == (409, "Conflict")


async def test_a_whole_import_under_the_newer_address(http, db, archive):
    answer = await http("PUT", f"/api/v1/imports/{COURSE}", files={"file": ("a.tgz", archive)})
    assert (answer.status_code, answer.headers["location"]) == (202, answer.json()["url"])
    bad = await http("POST", f"/api/v1/imports/{COURSE}", files={"file": ("a.rar", archive)})
    assert (bad.json()["status"], bad.json()["detail"]) == (400, "Parameter in the wrong format")


class TestUpstreamsRecords:
    async def test_each_user_has_their_own(self, http, tasks):
        page = (await http("GET", "/api/tasks/v0/tasks/", AUTHOR)).json()
        assert [task["task_id"] for task in page["results"]] == [tasks["export"], tasks["failed"]]
        assert (
            page["results"][1]
            | {
                "name": f"Import of {COURSE} from course.tar.gz",
                "state": "Failed",
                "total_steps": 3,
                "completed_steps": 0,
            }
            == page["results"][1]
        )
        assert (await http("GET", "/api/tasks/v0/tasks/", STRANGER)).json()["count"] == 0
        assert (await http("GET", f"/api/tasks/v0/tasks/{tasks['failed']}/", STRANGER)).status_code == 404

    async def test_a_failure_leaves_its_text(self, http, tasks):
        record = (await http("GET", f"/api/tasks/v0/tasks/{tasks['failed']}/", AUTHOR)).json()
        artifact = (await http("GET", record["artifacts"][0].removeprefix("http://lectern.test"), AUTHOR)).json()
        assert (artifact["name"], artifact["text"]) == ("Error", "Unknown error while importing course.")
        assert (await http("GET", f"/api/tasks/v0/artifacts/{tasks['export']}/", AUTHOR)).status_code == 404

    async def test_a_task_is_canceled_and_then_forgotten(self, http, db, tasks):
        path = f"/api/tasks/v0/tasks/{tasks['export']}/"
        early = await http("DELETE", path, AUTHOR)
        assert (early.status_code, set(early.json())) == (409, {"detail", "error_code"})
        assert (await http("POST", f"{path}cancel/", AUTHOR)).json()["state"] == "Canceled"
        assert (await http("DELETE", path, AUTHOR)).status_code == 204
        assert (await http("GET", path, AUTHOR)).status_code == 404


class TestBusyCourses:
    async def test_who_will_not_wait_is_refused_before_the_upload(self, http, db, archive):
        first = (await http.push(archive)).json()["task_id"]
        answer = await http.push(archive + b"x", busy="refuse")
        assert answer.status_code == 409
        assert (answer.json()["error_code"], answer.json()["task_id"]) == ("import_in_progress", first)
        assert (await http.push(archive, busy="wait")).status_code == 202
        assert (await http.push(archive, "course-v1:Org+Other+1", busy="refuse")).status_code == 202
        assert (await http.push(archive, busy="maybe")).status_code == 400
        await db.execute("update job set phase = 'done'")
        assert (await http.push(archive, busy="refuse")).status_code == 202

    async def test_of_many_at_once_one_is_taken(self, http, db, archive):
        answers = await asyncio.gather(*(http.push(archive, busy="refuse") for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409, 409]
        assert await db.fetchval("select count(*) from job") == 1


async def test_what_an_ended_task_no_longer_needs_is_deleted(http, db, resources, archive):
    """Of the imports of a course only the newest that succeeded keeps its snapshot."""

    async def end(state, **query):
        task_id = (await http.push(archive + str(query).encode(), **query)).json()["task_id"]
        await resources.blobs.put_bytes(f"snapshots/{task_id}", b"{}")
        await db.execute("update job set snapshot = 'snapshots/' || id where id = $1", task_id)
        async with resources.sessions.begin() as session:
            job = await session.get(Job, uuid.UUID(task_id))
            await finish_job(session, job, state, now=datetime.now(UTC))
        await clear_litter(resources)
        assert await resources.blobs.size(f"uploads/{task_id}") is None
        return f"snapshots/{task_id}"

    first = await end(State.SUCCEEDED)
    assert await resources.blobs.size(first) == 2
    gone = [await end(State.FAILED, message="a"), await end(State.SUCCEEDED, dry_run="true"), await end(State.CANCELED)]
    assert [await resources.blobs.size(key) for key in gone] == [None] * 3
    assert await resources.blobs.size(first) == 2
    second = await end(State.SUCCEEDED, message="b")
    assert (await resources.blobs.size(first), await resources.blobs.size(second)) == (None, 2)
