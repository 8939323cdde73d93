"""Workers take the groups of tests in our order, each group whole; the longest ones first."""

import os
import subprocess
from pathlib import Path

import suite

from common.testing.plugin import AMQP_URLS

FILES = {
    "services/small/tests/test_a.py": 1,
    "services/large/tests/test_b.py": 9,
    "tests/integration/test_c.py": 2,
    "tests/integration/test_d.py": 2,
    "tests/corpus/test_e.py": 3,
    "deploy/local/tests/test_f.py": 1,
}


def test_groups_come_in_our_order_and_whole(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for name, count in FILES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        note = f"    with open({str(ran)!r}, 'a') as out: print({str(Path(name).parent)!r}, file=out)\n"
        file.write_text("".join(f"def test_{number}():\n{note}" for number in range(count)))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = suite.command(torture=False, results=tmp_path / "results.xml", extra=["."], workers=2)
    command[command.index("-n") + 1] = "1"  # what one worker does has one order
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment[AMQP_URLS] = "amqp://of-nobody"
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    taken = ran.read_text().splitlines()
    assert len(taken) == sum(FILES.values())
    assert [place for number, place in enumerate(taken) if taken[number - 1 : number] != [place]] == [
        "tests/integration",
        "deploy/local/tests",
        "services/large/tests",
        "tests/corpus",
        "services/small/tests",
    ]
