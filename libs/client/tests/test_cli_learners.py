"""`lectern enroll`, `lectern parked`, folders, and how grave a report must be."""

import json

import pytest
from typer.testing import CliRunner

from lectern_client import cli

COURSE = "course-v1:O+C+R"
runner = CliRunner()


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path, lectern):
    for name in ("GITHUB_SHA", "CI_COMMIT_SHA", "CI_PROJECT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LECTERN_CONFIG", str(tmp_path / "config" / "login.json"))
    monkeypatch.setenv("LECTERN_URL", lectern.url)
    monkeypatch.setenv("LECTERN_CLIENT_ID", "robot")
    monkeypatch.setenv("LECTERN_CLIENT_SECRET", "s3cr3t")


@pytest.fixture
def rows(tmp_path):
    def write(text):
        path = tmp_path / "rows.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def folder(tmp_path):
    course = tmp_path / "my-course"
    for path, text in {
        "course.xml": '<course url_name="R" org="O" course="C"/>',
        "course/R.xml": '<course><html url_name="h"/></course>',
        "policies/R/policy.json": "{}",
        ".git/config": "secret",
    }.items():
        (course / path).parent.mkdir(parents=True, exist_ok=True)
        (course / path).write_text(text)
    return course


def run(*arguments):
    return runner.invoke(cli.app, [str(argument) for argument in arguments])


# --- enroll


def test_a_file_of_learners_is_one_job(rows, lectern):
    file = rows(
        "\ufeffUsername , course_id,mode,unknown\r\nalice,course-v1:O+C+R,audit,x\r\n\r\n bob ,course-v1:O+C+R,,\r\n"
    )
    result = run("enroll", file)
    assert result.exit_code == 0, result.output
    assert lectern.jobs == [
        "username,course_id,mode\r\nalice,course-v1:O+C+R,audit\r\nbob,course-v1:O+C+R,\r\n"
    ]  # fmt: skip
    assert "Succeeded (2 enrolled)" in result.stderr


def test_one_course_for_all_rows(rows, lectern):
    assert run("enroll", rows("email\na@example.com\n"), "--course", COURSE).exit_code == 0
    assert lectern.jobs == ["email,course_id\r\na@example.com,course-v1:O+C+R\r\n"]


@pytest.mark.parametrize(
    ("job", "code"),
    [
        ({"state": "Succeeded", "text": "200"}, 0),
        ({"state": "Succeeded", "text": "204"}, 0),
        ({"state": "Succeeded", "text": "207", "result": "http://x/result.csv"}, 1),
        ({"state": "Succeeded", "text": "422"}, 1),
        ({"state": "Failed", "error": {"code": "x", "message": "Too many drops."}}, 1),
    ],
)
def test_a_rejected_row_is_an_exit_code(rows, lectern, job, code):
    lectern.job = job
    result = run("enroll", rows(f"username,course_id\na,{COURSE}\n"))
    assert result.exit_code == code
    assert str(job.get("result", "")) in result.stderr


def test_a_job_need_not_be_waited_for(rows, lectern):
    lectern.job = {"state": "Pending"}
    result = run("enroll", rows(f"username,course_id\na,{COURSE}\n"), "--no-wait")
    assert (result.exit_code, result.stdout) == (0, "01a20ad9-1192-7282-b1ac-f2fe7ce18ed5\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names none of"),
        ("name\na\n", "names none of"),
        ("username\na\n", "no course_id"),
        ("username,course_id\n,x\n", ":2: the row names no learner"),
        ("username,course_id\na,x,y\n", ":2: there are more cells"),
        ("username,course_id,is_active\na,x,maybe\n", "neither true nor false"),
        (b"username,course_id\n\xff,x\n", "not UTF-8"),
        ('username,course_id\n"a,x\n', "no CSV"),
    ],
)
def test_a_bad_file_is_found_before_anything_is_sent(rows, lectern, text, words):
    result = run("enroll", rows(text))
    assert (result.exit_code, words in result.stderr) == (1, True), result.stderr
    assert lectern.seen == []


def test_a_dry_run_is_a_job_that_writes_nothing(rows, lectern):
    assert run("enroll", rows(f"username,course_id\na,{COURSE}\n"), "--dry-run").exit_code == 0
    assert lectern.job_queries == [{"dry_run": "true"}]


def test_the_outcome_of_each_row_can_be_kept(rows, lectern, tmp_path):
    lectern.job = {"state": "Succeeded", "text": "207", "result": "http://x/result"}
    result = run("enroll", rows(f"username,course_id\na,{COURSE}\n"), "--result", tmp_path / "out.csv")
    assert result.exit_code == 1
    assert (tmp_path / "out.csv").read_bytes() == b"username,outcome\r\na,rejected\r\n"


def test_a_check_sends_nothing(rows, lectern):
    result = run("enroll", rows(f"username,course_id\na,{COURSE}\nb,{COURSE}\n"), "--check")
    assert (result.exit_code, "2 rows, 1 courses" in result.stderr) == (0, True)
    assert lectern.seen == []


def test_rows_can_go_one_by_one(rows, lectern):
    file = rows(
        f"username,email,course_id,mode,is_active\na,,{COURSE},honor,\nb,,{COURSE},,false\n,c@x.org,{COURSE},,\n"
    )
    result = run("enroll", file, "--one-by-one", "--json")
    assert result.exit_code == 1
    assert [(entry["user"], entry["is_active"]) for entry in lectern.enrolled] == [("a", True), ("b", False)]
    assert [row["outcome"] for row in json.loads(result.stdout)] == ["enrolled", "enrolled", "rejected"]


# --- parked


def test_parked_messages_are_listed_page_after_page(lectern):
    result = run("parked", "list", "enrollment")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("malformed") == 2
    assert "not [JSON]" in result.stdout
    assert len(json.loads(run("parked", "list", "enrollment", "--json", "--limit", "1").stdout)) == 1


def test_a_parked_message_is_shown_replayed_and_discarded(lectern):
    assert json.loads(run("parked", "show", "content", "x").stdout)["body"] == "{"
    assert "replayed" in run("parked", "replay", "content", "x", "-m", "mended").stderr
    assert run("parked", "discard", "content", "x").exit_code == 0
    assert lectern.decisions == [("replay", {"reason": "mended"}), ("discard", {"reason": ""})]


def test_an_unknown_service_is_wrong_usage():
    assert run("parked", "list", "kitchen").exit_code == 2


# --- folders and reports


def test_a_folder_is_packed_and_sent(folder, lectern):
    result = run("import", folder, COURSE)
    assert result.exit_code == 0, result.output
    query, body = lectern.uploads[0]
    assert query["filename"] == "my-course.tar.gz"
    assert body[:2] == b"\x1f\x8b"


def test_a_folder_without_a_course_is_told(tmp_path, lectern):
    (tmp_path / "empty").mkdir()
    result = run("import", tmp_path / "empty", COURSE)
    assert (result.exit_code, "no_course_xml" in result.stderr) == (1, True)
    assert lectern.seen == []


def test_a_folder_is_validated_as_an_archive_is(folder):
    result = run("validate", folder)
    assert result.exit_code == 1
    assert result.stdout.startswith("course/R.xml:1: error: <html> points at html/h.xml")


@pytest.mark.parametrize(
    ("severity", "fail_on", "code"),
    [
        ("error", None, 1),
        ("error", "never", 0),
        ("warning", None, 0),
        ("warning", "warning", 1),
        ("info", "warning", 0),
        ("info", "info", 1),
    ],
)
def test_how_grave_a_report_must_be_to_fail(archive, lectern, severity, fail_on, code):
    lectern.report = {"entries": [{"code": "x", "severity": severity, "message": "m"}], "counts": {}}
    options = ["--fail-on", fail_on] if fail_on else []
    assert run("import", archive, COURSE, *options).exit_code == code


def test_a_draft_is_not_published(archive, lectern):
    for option in ("--no-publish", "--draft-only"):
        run("import", archive, COURSE, option)
    assert [query["publish"] for query, _ in lectern.uploads] == ["false", "false"]


@pytest.mark.parametrize("url", ["http://[bad", "not a url", "ftp://x"])
def test_an_address_that_is_none_is_told(url, archive, monkeypatch, no_pauses):
    monkeypatch.setenv("LECTERN_URL", url)
    result = run("import", archive, COURSE)
    assert result.exit_code == 3
    assert "Traceback" not in result.output


def test_a_key_cannot_become_another_path(archive, lectern):
    run("import", archive, "../../oauth2/x?y#z")
    assert lectern.seen[-1][1].startswith("/api/v0/import/") or lectern.seen[-1][1].startswith("/api/v0/tasks/")


def test_help_of_every_command_is_short_and_whole():
    for command in ("login", "validate", "import", "export", "tasks", "report", "cancel", "enroll", "parked"):
        result = run(command, "--help")
        assert result.exit_code == 0
        assert "Usage" in result.stdout
