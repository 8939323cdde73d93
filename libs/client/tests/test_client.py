import tomllib
from pathlib import Path

import pytest

from lectern_client import Client, Refused, TaskFailed, TaskNotFinished, Unreachable

COURSE = "course-v1:O+C+R"


def test_an_upload_is_streamed_with_its_options_and_progress(client, lectern, archive):
    told: list[tuple[int, int]] = []
    task = client.import_course(
        archive,
        COURSE,
        dry_run=True,
        links="skip",
        source_sha="abc",
        on_progress=lambda done, total: told.append((done, total)),
    )
    (query, body), size = lectern.uploads[0], archive.stat().st_size
    assert task.has_succeeded
    assert body == archive.read_bytes()
    assert {name: query[name] for name in ("dry_run", "links", "strict", "publish", "source_sha", "filename")} == {
        "dry_run": "true",
        "links": "skip",
        "strict": "false",
        "publish": "true",
        "source_sha": "abc",
        "filename": "course.tar.gz",
    }
    assert len(told) > 1
    assert told[-1] == (size, size)
    assert ("POST", f"/api/v0/import/{COURSE}") in lectern.seen


def test_an_upload_cut_off_is_repeated_under_the_same_key(client, lectern, archive, no_pauses):
    client.authenticate()
    lectern.drop_next = 1
    client.import_course(archive, COURSE)
    assert [path for method, path in lectern.seen if method == "POST"].count(f"/api/v0/import/{COURSE}") == 2
    assert len(lectern.uploads) == 1
    assert len(lectern.uploads[0][0]["idempotency-key"]) >= 24


def test_what_cannot_be_repeated_is_not(client, lectern, no_pauses):
    lectern.drop_next = 1
    with pytest.raises(Unreachable):
        client.enroll("alice", COURSE)
    assert lectern.enrolled == []
    assert not no_pauses


@pytest.mark.parametrize(
    ("status", "body", "code", "message"),
    [
        (403, {"developer_message": "No.", "error_code": "user_permissions"}, "user_permissions", "No."),
        (422, {"detail": "Reused.", "error_code": "idempotency_key_reused"}, "idempotency_key_reused", "Reused."),
        (400, {"message": "Closed."}, None, "Closed."),
        (400, {"field_errors": {"links": {"developer_message": "Bad."}}}, None, "Status 400. links: Bad."),
        (418, ["a list"], None, "Status 418."),
        (404, b"<html>", None, "Status 404."),
    ],
)
def test_refusals_of_every_family_are_understood(client, lectern, status, body, code, message):
    lectern.refusals = [(status, {}, body)]
    with pytest.raises(Refused) as caught:
        client.task("x")
    assert (caught.value.status, caught.value.code, caught.value.message) == (status, code, message)


def test_a_limit_is_waited_for_as_long_as_the_server_says(client, lectern, no_pauses):
    lectern.refusals = [(429, {"Retry-After": "7"}, {"detail": "throttled"})]
    assert client.task("x").has_succeeded
    assert no_pauses[0] == 7


def test_waiting_follows_the_states_to_the_end(client, lectern, no_pauses):
    lectern.states = [{"state": name} for name in ("Pending", "Unpacking", "Updating", "Failed")]
    seen: list[str] = []
    task = client.wait("x", on_change=lambda task: seen.append(task.state))
    assert seen == ["Pending", "Unpacking", "Updating", "Failed"]
    assert task.has_ended
    assert not task.has_succeeded


def test_waiting_ends_with_the_patience(client, lectern):
    lectern.states = [{"state": "Pending"}]
    with pytest.raises(TaskNotFinished, match="goes on without us"):
        client.wait("x", timeout=0)


def test_a_report_points_at_files_and_lines(client, lectern):
    entry = {"code": "xml_broken", "severity": "error", "message": "Bad.", "file": "html/a.xml", "line": 3, "new": 1}
    lectern.report = {"entries": [entry], "counts": {}}
    (found,) = client.report("x").errors
    assert found.place == "html/a.xml:3"


def test_tasks_of_all_pages_are_listed(client):
    assert [task.task_id for task in client.tasks(COURSE)] == ["1", "2"]


def test_an_export_is_awaited_and_written_whole(client, lectern, tmp_path, no_pauses):
    lectern.pending_exports = 2
    lectern.states = [{"state": "In Progress", "kind": "export"}]
    target = tmp_path / "out.tar.gz"
    done = client.export_course(COURSE, target)
    assert (done.etag, done.path, done.size) == (lectern.etag, target, len(lectern.archive))
    assert target.read_bytes() == lectern.archive


def test_an_unchanged_course_is_not_downloaded(client, lectern, tmp_path):
    done = client.export_course(COURSE, tmp_path / "out.tar.gz", etag=lectern.etag)
    assert done.path is None
    assert list(tmp_path.iterdir()) == []


def test_half_a_download_leaves_nothing(client, lectern, tmp_path):
    lectern.cut_download = True
    (tmp_path / "out.tar.gz").write_bytes(b"the one before")
    with pytest.raises(Unreachable):
        client.export_course(COURSE, tmp_path / "out.tar.gz")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"out.tar.gz": b"the one before"}


def test_a_failed_export_says_why(client, lectern, tmp_path, no_pauses):
    lectern.pending_exports = 9
    lectern.states = [{"state": "Failed", "error": {"code": "no_answer", "message": "Content is silent."}}]
    with pytest.raises(TaskFailed, match=r"Content is silent\."):
        client.export_course(COURSE, tmp_path / "out.tar.gz")


def test_one_learner_is_enrolled(client, lectern):
    assert client.enroll("alice", COURSE, mode="audit").is_active
    assert lectern.enrolled == [
        {"user": "alice", "course_details": {"course_id": COURSE}, "is_active": True, "mode": "audit"}
    ]


def test_something_else_on_the_port_is_not_taken_for_a_lectern(lectern):
    lectern.states = [{"state": None}]
    with Client(lectern.url, "robot", "s3cr3t") as client, pytest.raises(Unreachable, match="like a Lectern"):
        client.task("x")


def test_the_wheel_needs_none_of_the_servers_packages():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    needed = " ".join(project["dependencies"])
    assert not any(name in needed for name in ("fastapi", "sqlalchemy", "aio-pika", "lectern-common"))
