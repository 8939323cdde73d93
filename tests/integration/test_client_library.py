"""What `lectern-client` offers to other teams' programs, against the running system."""

import subprocess
import sys
import uuid

import pytest
from api import finished, import_course, new_user, pack

from lectern_client.bus import CommandRejected, EnrollmentBus


@pytest.fixture
async def course(admin, sample_course) -> str:
    key = f"course-v1:ClientX+C+{uuid.uuid4().hex[:8]}"
    await import_course(admin, key, pack(sample_course))
    return key


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


async def test_the_command_works_with_nothing_but_its_own_packages(credentials, sample_course, admin, tmp_path):
    """A folder goes in, an archive comes out, and the exit codes say so."""
    key = f"course-v1:ClientX+C+{uuid.uuid4().hex[:8]}"
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LECTERN_URL": credentials["base_url"],
        "LECTERN_CLIENT_ID": credentials["client_id"],
        "LECTERN_CLIENT_SECRET": credentials["client_secret"],
    }

    def lectern(*arguments: str) -> subprocess.CompletedProcess[str]:
        program = "import sys; from lectern_client.cli import main; sys.argv[0] = 'lectern'; main()"
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100, check=False)

    done = lectern("import", str(sample_course), key, "--strict", "--fail-on", "warning")
    assert done.returncode == 0, done.stderr
    assert "Succeeded" in done.stderr
    done = lectern("export", key, "-o", str(tmp_path / "out.tar.gz"))
    assert done.returncode == 0, done.stderr
    done = lectern("validate", str(tmp_path / "out.tar.gz"), "--fail-on", "warning")
    assert done.returncode == 0, done.stdout + done.stderr
    done = lectern("import", str(tmp_path / "out.tar.gz"), "course-v1:ClientX+Other", "--dry-run")
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stderr
    listed = lectern("tasks", key, "--json")
    assert key in listed.stdout
    parked = lectern("parked", "list", "enrollment")
    assert parked.returncode == 0, parked.stderr
    assert await finished(admin, listed.stdout.split('"task_id": "')[1].split('"')[0])
