"""What `lectern-client` offers to other teams' programs, against the running system."""

import csv
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from api import finished, import_course, new_user, pack

from lectern_client.bus import CommandRejected, EnrollmentBus


@pytest.fixture
async def course(admin, sample_course) -> str:
    key = f"course-v1:ClientX+C+{uuid.uuid4().hex[:8]}"
    await import_course(admin, key, pack(sample_course))
    return key


Lectern = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def lectern(credentials: dict, tmp_path: Path) -> Lectern:
    """The console command as a CI job has it: three variables, and nothing else of ours in its environment."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LECTERN_URL": credentials["base_url"],
        "LECTERN_CLIENT_ID": credentials["client_id"],
        "LECTERN_CLIENT_SECRET": credentials["client_secret"],
    }

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        program = "import sys; from lectern_client.cli import main; sys.argv[0] = 'lectern'; main()"
        command = [sys.executable, "-c", program, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100, check=False)

    return run


async def test_commands_on_the_bus_have_an_outcome_for_each_item(admin, amqp, course):
    names = [f"bus_{uuid.uuid4().hex[:8]}" for _ in range(3)]
    for name in names:
        await new_user(admin, name)
    items = [{"username": name, "course_id": course, "ref": f"row {name}"} for name in names]
    items.append({"username": "nobody_of_that_name", "course_id": course})
    async with EnrollmentBus(amqp, requested_by="registrar") as bus:
        outcomes = await bus.enroll(items, reason="term begins")
        assert [outcome.outcome for outcome in outcomes] == ["enrolled"] * 3 + ["rejected"]
        assert [outcome.index for outcome in outcomes] == [0, 1, 2, 3]
        assert outcomes[0].ref == f"row {names[0]}"
        assert outcomes[3].code
        gone = await bus.unenroll([{"username": names[0], "course_id": course}])
        assert [outcome.outcome for outcome in gone] == ["unenrolled"]
        command = {"command_id": str(uuid.uuid4()), "requested_by": "x", "items": items[1:2]}
        first = await bus.send("enrollment.enroll.v1", command)
        assert await bus.send("enrollment.enroll.v1", command) == first
        with pytest.raises(CommandRejected) as refused:
            await bus.send("enrollment.enroll.v1", command | {"items": items[2:3]})
        assert refused.value.code == "command_id_reused"


async def test_the_command_works_with_nothing_but_its_own_packages(lectern, sample_course, admin, tmp_path):
    """A folder goes in, an archive comes out, and the exit codes say so."""
    key = f"course-v1:ClientX+C+{uuid.uuid4().hex[:8]}"
    done = lectern("import", sample_course, key, "--strict", "--fail-on", "warning")
    assert done.returncode == 0, done.stderr
    assert "Succeeded" in done.stderr
    done = lectern("export", key, "-o", tmp_path / "out.tar.gz")
    assert done.returncode == 0, done.stderr
    done = lectern("validate", tmp_path / "out.tar.gz", "--fail-on", "warning")
    assert done.returncode == 0, done.stdout + done.stderr
    done = lectern("import", tmp_path / "out.tar.gz", "course-v1:ClientX+Other", "--dry-run")
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stderr
    listed = lectern("tasks", key, "--json")
    assert key in listed.stdout
    parked = lectern("parked", "list", "enrollment")
    assert parked.returncode == 0, parked.stderr
    assert await finished(admin, listed.stdout.split('"task_id": "')[1].split('"')[0])


async def is_enrolled(admin, username: str, course: str) -> bool:
    answer = await admin.get(f"/api/enrollment/v1/enrollment/{username},{course}")
    assert answer.status_code == 200, answer.text
    return bool(answer.content) and answer.json() is not None and answer.json()["is_active"]


async def test_a_file_of_learners_is_enrolled_by_one_command(lectern, admin, course, tmp_path):
    """A registrar's file: checked, tried, carried out, repeated and taken back, each with the outcome of every row."""
    names = [f"row_{uuid.uuid4().hex[:8]}" for _ in range(3)]
    for name in names:
        await new_user(admin, name)
    file, result = tmp_path / "learners.csv", tmp_path / "result.csv"
    rows = [f"{names[0]},,{course}", f",{names[1]}@example.com,{course}", f"{names[2]},,{course}"]
    file.write_text("\n".join(["\ufeffUsername,email,course_id", *rows, f"nobody_of_that_name,,{course}", ""]))

    def outcomes(*options: str) -> list[tuple[str, str]]:
        done = lectern("enroll", file, "--result", result, *options)
        assert done.returncode == 1, done.stderr
        assert "1 rejected" in done.stderr
        with result.open(newline="") as text:
            found = list(csv.DictReader(text))
        assert [row["username"] or row["email"] for row in found][:2] == [names[0], f"{names[1]}@example.com"]
        return [(row["outcome"], row["code"]) for row in found]

    done = lectern("enroll", file, "--check")
    assert (done.returncode, "4 rows, 1 courses" in done.stderr) == (0, True), done.stderr
    tried = outcomes("--dry-run")
    assert [await is_enrolled(admin, name, course) for name in names] == [False] * 3
    first = outcomes()
    assert tried == first
    assert [outcome for outcome, _ in first] == ["enrolled"] * 3 + ["rejected"]
    assert first[3][1]
    assert [await is_enrolled(admin, name, course) for name in names] == [True] * 3
    # without the stranger, who is waited for: an account may be on its way
    file.write_text("\n".join(["username,email,course_id", *rows, ""]))
    done = lectern("enroll", file, "--json")
    assert (done.returncode, '"unchanged": 3' in done.stdout) == (0, True), done.stdout + done.stderr

    file.write_text(f"username,is_active\n{names[0]},false\n{names[2]},no\n")
    done = lectern("enroll", file, "--course", course, "--json")
    assert done.returncode == 0, done.stderr
    assert '"unenrolled": 2' in done.stdout
    assert [await is_enrolled(admin, name, course) for name in names] == [False, True, False]
