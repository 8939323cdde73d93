"""Whatever happens to a parent, nothing it started stays."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

from common.testing.keeper import command_line, descendants, end_leftover, free_ports, is_free, spawn


def parent(script: str, *arguments: object) -> "subprocess.Popen[str]":
    """A process of its own that uses the keeper."""
    code = "from common.testing.keeper import *\nimport time, sys, os\n" + textwrap.dedent(script)
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


# a child that leaves its session and its parent, as a daemon does, and ignores being asked
DAEMON = """
import os, signal, time
if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
time.sleep(600)
"""


def test_sigkill_of_the_parent_leaves_no_process_and_no_folder(tmp_path, processes_of, until):
    script = """
    with temporary_folder() as folder:
        environment = {"MARK": sys.argv[1]}
        spawn([sys.executable, "-c", sys.argv[2]], environment=environment, log=folder / "log", folder=folder)
        time.sleep(0.5)
        print(folder, flush=True)
        time.sleep(600)
    """
    process = parent(script, tmp_path, DAEMON)
    folder = Path(process.stdout.readline().strip())
    until(lambda: len(processes_of(f"MARK={tmp_path}")) == 2)
    process.kill()
    process.wait()
    until(lambda: not processes_of(f"MARK={tmp_path}") and not folder.exists(), 30)


def test_a_parent_that_leaves_without_a_word_waits_for_its_watchdog(tmp_path, processes_of):
    script = """
    with temporary_folder() as folder:
        environment = {"MARK": sys.argv[1], "PATH": os.environ["PATH"]}
        spawn(["sleep", "600"], environment=environment, log=folder / "log", folder=folder)
        print(folder, flush=True)
        sys.exit(3)
    """
    process = parent(script, tmp_path)
    assert process.wait(20) == 3
    assert not processes_of(f"MARK={tmp_path}")
    assert not Path(process.stdout.read().strip()).exists()


def test_killing_a_parent_of_parents_ends_all_generations(tmp_path, processes_of, until):
    inner = """
    from pathlib import Path
    from common.testing.keeper import spawn
    import os, sys, time
    here = Path(os.environ["MARK"])
    spawn(["sleep", "600"], environment=dict(os.environ), log=here / "inner.log", folder=here)
    time.sleep(600)
    """
    script = """
    from pathlib import Path
    here = Path(sys.argv[1])
    environment = dict(os.environ) | {"MARK": sys.argv[1]}
    spawn([sys.executable, "-c", sys.argv[2]], environment=environment, log=here / "log", folder=here)
    time.sleep(600)
    """
    process = parent(script, tmp_path, textwrap.dedent(inner))
    until(lambda: any("sleep 600" in command for command in processes_of(f"MARK={tmp_path}")))
    process.kill()
    process.wait()
    until(lambda: not processes_of(f"MARK={tmp_path}"), 30)


def test_stop_asks_first_and_then_insists(tmp_path):
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    child = spawn([sys.executable, "-c", deaf], environment={}, log=tmp_path / "log", folder=tmp_path)
    while "up" not in child.log_tail():
        assert child.returncode is None
    child.stop(0.2)
    assert child.returncode == -signal.SIGKILL


def test_a_leftover_is_ended_only_when_it_is_still_the_same_program(tmp_path):
    child = spawn(["sleep", "600"], environment=dict(os.environ), log=tmp_path / "log", folder=tmp_path)
    while not Path(f"/proc/{child.pid}/cmdline").read_bytes().startswith(b"sleep"):
        pass
    end_leftover(child.pid, "postgres -D /some/where")
    assert child.returncode is None
    end_leftover(child.pid, "sleep 600")
    assert child.wait(5)


def test_ports_are_free_distinct_and_never_an_outgoing_connections():
    ports = free_ports(50)
    first, _ = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert len(set(ports)) == 50
    assert all(is_free(port) and port < max(first, 32000) for port in ports)


def test_a_kill_reaches_what_the_child_had_started(tmp_path, until):
    script = "import subprocess, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"
    child = spawn([sys.executable, "-c", script], environment=dict(os.environ), log=tmp_path / "log", folder=tmp_path)
    until(lambda: len(descendants(child.pid)) == 1)
    (below,) = descendants(child.pid)
    child.kill()
    assert command_line(below) == ""
