"""The scripts beside this folder are no package: they are found by their place."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

LOCAL = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(LOCAL))


@pytest.fixture(scope="session")
def local() -> Path:
    """The folder of the scripts."""
    return LOCAL


@pytest.fixture(scope="session")
def processes_of() -> Callable[[object], list[str]]:
    """`processes_of(mark)` → command lines of living processes that carry *mark* in them or in their environment."""

    def find(mark: object) -> list[str]:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            pid = process.name
            try:
                command = (process / "cmdline").read_bytes()
                environment = (process / "environ").read_bytes()
            except OSError:
                continue
            if int(pid) != os.getpid() and str(mark).encode() in command + environment:
                found.append(f"{pid} {command.replace(bytes(1), b' ').decode(errors='replace')}")
        return found

    return find


@pytest.fixture
def until() -> Callable[..., None]:
    """`until(check, seconds)`: wait until it is true."""
    import time

    def wait(check: Callable[[], object], seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while not check():
            assert time.monotonic() < deadline, f"not within {seconds} s"
            time.sleep(0.02)

    return wait
