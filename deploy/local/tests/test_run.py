"""The runner as a person meets it: its sentences when it cannot start, and one whole life of it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tarfile
import urllib.request
from io import BytesIO
from pathlib import Path

import demo
import pytest
import run

from common.testing.keeper import free_ports, is_free, temporary_folder


@pytest.fixture
def runner(local):
    """`runner(command, home, **variables)` → the finished process."""

    def call(command, home, path=os.environ["PATH"], **variables):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LECTERN_")}
        environment = {**kept, "PATH": path, "LECTERN_HOME": str(home), **variables}
        return subprocess.run(
            [sys.executable, local / "run.py", command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )

    return call


@pytest.mark.parametrize("command", ["run", "start"])
def test_a_taken_port_is_named_with_the_way_out(runner, tmp_path, command):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = runner(command, tmp_path / "home", LECTERN_PORT=str(port))
    assert done.returncode == 1
    assert f"Port {port} is taken" in done.stdout
    assert f"LECTERN_PORT={port + 1} make run" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_without_servers_the_four_ways_are_named(runner, tmp_path):
    (port,) = free_ports(1)
    done = runner("run", tmp_path / "home", path="", LECTERN_PORT=str(port), DOCKER_HOST="tcp://127.0.0.1:1")
    assert done.returncode == 1
    assert "needs PostgreSQL and RabbitMQ and found none" in done.stdout
    assert re.findall(r"^  ([1-4])\.", done.stdout, re.MULTILINE) == ["1", "2", "3", "4"]
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"LECTERN_PROT": "8001"}, "Unknown variables: LECTERN_PROT."),
        ({"LECTERN_PORT": "eight"}, "LECTERN_PORT must be a port number"),
        ({"LECTERN_PORT": "70000"}, "LECTERN_PORT must be a port number"),
    ],
)
def test_mistyped_variables_are_refused(runner, tmp_path, variables, said):
    done = runner("start", tmp_path / "home", **variables)
    assert (done.returncode, said in done.stdout) == (1, True)


def test_variables_go_to_those_who_know_them():
    given = {
        "LECTERN_RATE_LIMITS": "off",
        "LECTERN_LOG_LEVEL": "DEBUG",
        "LECTERN_PORT": "1",
        "LECTERN_TEST_AMQP_URL": "x",
    }
    assert run.service_environment(given | {"HOME": "/"}) == {
        "*": {"LECTERN_LOG_LEVEL": "DEBUG"},
        "gateway": {"LECTERN_RATE_LIMITS": "off"},
        "enrollment": {},
        "import-export": {},
    }


def test_what_is_allowed_for_trying_out_goes_to_the_service_concerned():
    given = {"LECTERN_HOOK_INTERNAL_URLS": "true", "LECTERN_PROGRAM_RESET": "true"}
    made = run.service_environment(given)
    assert made["import-export"] == {"LECTERN_HOOK_INTERNAL_URLS": "true"}
    assert made["enrollment"] == {"LECTERN_PROGRAM_RESET": "true"}


def test_nothing_runs_here(runner, tmp_path):
    home = tmp_path / "home"
    assert runner("status", home).returncode == 3
    assert runner("stop", home).returncode == 0
    assert runner("reset", home).returncode == 0
    assert not home.exists()


def test_reset_takes_only_what_is_ours(runner, tmp_path):
    (tmp_path / "blobs").mkdir()
    (tmp_path / "credentials.json").touch()
    (tmp_path / "thesis.txt").touch()
    assert runner("reset", tmp_path).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_the_sample_course_is_packed_as_an_export_is():
    with tarfile.open(fileobj=BytesIO(demo.sample_archive())) as archive:
        assert "course/course.xml" in archive.getnames()
    assert demo.sample_key().startswith("course-v1:")


def test_one_life_of_it(runner, processes_of, until):
    """start, look, lose a service, lose the runner: and then nothing is left but the data."""
    (port,) = free_ports(1)
    variables = {"LECTERN_PORT": str(port), "LECTERN_RATE_LIMITS": "off"}
    with temporary_folder() as folder:
        home = folder / "home"
        started = runner("start", home, **variables)
        assert started.returncode == 0, started.stdout
        try:
            assert f"http://127.0.0.1:{port}" in started.stdout
            assert "Rate limits  OFF" in started.stdout
            assert started.stdout.count("curl") >= 3

            credentials = json.loads((home / "credentials.json").read_text())
            assert credentials["base_url"] == f"http://127.0.0.1:{port}"
            assert sorted(credentials["databases"]) == sorted(run.SERVICES)
            for name in ("credentials.json", "secrets.json"):
                assert (home / name).stat().st_mode & 0o077 == 0

            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/courses/v1/courses/") as listing:
                assert [course["id"] for course in json.load(listing)["results"]] == [demo.sample_key()]

            again = runner("start", home, **variables)
            assert (again.returncode, f"http://127.0.0.1:{port}" in again.stdout) == (0, True)
            refused = runner("run", home, **variables)
            assert (refused.returncode, "is running from" in refused.stdout) == (1, True)

            (victim,) = [line for line in processes_of(home) if "-m content all" in line]
            os.kill(int(victim.split()[0]), signal.SIGKILL)
            until(lambda: "content is started again" in (home / "logs/runner.log").read_text())
            until(lambda: runner("status", home).returncode == 0, 60)

            pid = json.loads((home / "runner.json").read_text())["pid"]
            os.kill(pid, signal.SIGKILL)
            until(lambda: not processes_of(home), 40)
            assert runner("status", home).returncode == 3
            assert is_free(port)
        finally:
            runner("stop", home)
        assert processes_of(home) == []
        assert (home / "secrets.json").exists()
        assert runner("reset", home).returncode == 0
        assert not home.exists()
        assert not Path("/var/lib/lectern", str(home).strip("/").replace("/", "-")).exists()
