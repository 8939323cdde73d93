import json
import stat
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from lectern_client import cli

COURSE = "course-v1:O+C+R"
ERROR = {"code": "xml_broken", "severity": "error", "message": "Not [well]-formed.", "file": "html/a.xml", "line": 3}
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
def no_environment(monkeypatch):
    for name in ("LECTERN_URL", "LECTERN_CLIENT_ID", "LECTERN_CLIENT_SECRET"):
        monkeypatch.delenv(name)


def run(*arguments):
    return runner.invoke(cli.app, [str(argument) for argument in arguments])


def test_an_import_ends_with_a_summary_and_zero(archive, lectern):
    result = run("import", archive, COURSE)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "course-v1:O+C+R: Succeeded (3 created)" in result.stderr


@pytest.mark.parametrize(
    ("states", "report", "options", "code"),
    [
        ([{"state": "Succeeded"}], [], [], 0),
        ([{"state": "Succeeded"}], [ERROR], [], 1),
        ([{"state": "Succeeded"}], [ERROR], ["--allow-errors"], 0),
        ([{"state": "Succeeded"}], [ERROR | {"severity": "warning"}], [], 0),
        ([{"state": "Failed", "error": {"code": "strict", "message": "1 error."}}], [ERROR], ["--strict"], 1),
        ([{"state": "Failed", "error": {"code": "no_course_xml", "message": "None."}}], [], ["--allow-errors"], 1),
        ([{"state": "Canceled", "report_url": None}], [], [], 1),
    ],
)
def test_the_exit_code_is_what_a_ci_job_decides_by(archive, lectern, states, report, options, code):
    lectern.states = states
    lectern.report = {"entries": report, "counts": {}}
    assert run("import", archive, COURSE, *options).exit_code == code


def test_outside_a_terminal_a_report_is_lines_like_a_compilers(archive, lectern):
    lectern.report = {"entries": [ERROR], "counts": {}}
    result = run("import", archive, COURSE)
    assert result.stdout == "html/a.xml:3: error: Not [well]-formed. [xml_broken]\n"


def test_remarks_are_printed_on_demand(archive, lectern):
    lectern.report = {"entries": [ERROR | {"severity": "info"}], "counts": {}}
    assert run("import", archive, COURSE).stdout == ""
    assert "info:" in run("import", archive, COURSE, "-v").stdout
    assert "info:" in run("report", "x").stdout


def test_json_holds_task_and_report(archive, lectern):
    lectern.report = {"entries": [ERROR], "counts": {}}
    result = run("import", archive, COURSE, "--json", "--allow-errors")
    parsed = json.loads(result.stdout)
    assert parsed["task"]["state"] == "Succeeded"
    assert parsed["report"]["entries"][0]["line"] == 3


def test_without_waiting_the_tasks_id_is_printed(archive, lectern):
    lectern.states = [{"state": "Pending"}]
    result = run("import", archive, COURSE, "--no-wait")
    assert result.exit_code == 0
    assert result.stdout == "01a20ad9-1192-7282-b1ac-f2fe7ce18ed5\n"


def test_the_commit_of_a_ci_job_goes_along(archive, lectern, monkeypatch):
    monkeypatch.setenv("GITHUB_SHA", "abc")
    monkeypatch.setenv("GITHUB_REPOSITORY", "org/course")
    run("import", archive, COURSE)
    query = lectern.uploads[0][0]
    assert (query["source_repo"], query["source_sha"]) == ("https://github.com/org/course", "abc")


def test_login_keeps_the_credentials_private(lectern, tmp_path, no_environment):
    result = run("login", "--url", lectern.url, "--client-id", "robot", "--client-secret", "s3cr3t")
    assert result.exit_code == 0, result.output
    kept = tmp_path / "config" / "login.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert run("tasks", "--json").exit_code == 0
    assert run("logout").exit_code == 0
    assert not kept.exists()


def test_wrong_credentials_are_not_kept(lectern, tmp_path, no_environment):
    result = run("login", "--url", lectern.url, "--client-id", "robot", "--client-secret", "guess")
    assert result.exit_code == 2
    assert not (tmp_path / "config").exists()


def test_without_login_the_way_out_is_named(archive, no_environment):
    result = run("import", archive, COURSE)
    assert result.exit_code == 2
    assert "lectern login" in result.stderr


def test_a_server_that_is_not_there_is_three(archive, monkeypatch, no_pauses):
    monkeypatch.setenv("LECTERN_URL", "http://127.0.0.1:9")
    result = run("import", archive, COURSE)
    assert result.exit_code == 3
    assert "cannot be reached" in result.stderr


@pytest.mark.parametrize(("status", "code"), [(403, 2), (404, 2), (401, 2), (400, 1), (413, 1)])
def test_refusals_have_exit_codes(archive, lectern, status, code):
    lectern.refusals = [(status, {}, {"developer_message": "No.", "error_code": "no"})] * 2
    result = run("import", archive, COURSE)
    assert (result.exit_code, "No. (no)" in result.stderr) == (code, True)


def test_a_missing_file_is_wrong_usage():
    assert run("import", "/nowhere.tar.gz", COURSE).exit_code == 2


def test_an_export_lands_in_its_file(lectern, tmp_path):
    result = run("export", COURSE, "-o", tmp_path / "out.tar.gz")
    assert result.exit_code == 0
    assert (tmp_path / "out.tar.gz").read_bytes() == lectern.archive
    assert lectern.etag in result.stderr
    assert "nothing was downloaded" in run("export", COURSE, "-o", tmp_path / "x", "--etag", lectern.etag).stderr


def test_a_task_can_be_shown_and_canceled(lectern):
    lectern.report = {"entries": [ERROR], "counts": {}}
    assert run("report", "x").exit_code == 1
    lectern.states = [{"state": "Canceled"}]
    assert "Canceled" in run("cancel", "x").stderr


def test_help_names_every_command_and_the_exit_codes():
    result = run("--help")
    assert all(word in result.stdout for word in ("import", "export", "tasks", "validate", "login", "Exit codes"))


def test_the_command_starts_without_the_servers_packages():
    names = ("fastapi", "sqlalchemy", "aio_pika", "olx")
    code = f"import sys, lectern_client.cli; print([name for name in {names} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
