"""`make check`: every static check, two at a time, all of them even when one fails."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Check:
    title: str
    command: tuple[str, ...]


def typed() -> list[str]:
    """What mypy reads strictly: everything but tests."""
    sources = [str(path) for path in sorted(ROOT.glob("*/*/src"))]
    return [
        *sources,
        *(str(path) for path in sorted(ROOT.glob("deploy/*.py")) + sorted(ROOT.glob("deploy/local/*.py"))),
    ]


def checks() -> Iterator[Check]:
    yield Check("types", (f"{BIN}/mypy", "--no-error-summary", *typed()))
    yield Check("format", (f"{BIN}/ruff", "format", "--check", "--quiet", "."))
    yield Check("lint", (f"{BIN}/ruff", "check", "--quiet", "."))
    yield Check("imports", (f"{BIN}/lint-imports", "--no-cache"))
    yield Check("sources", (sys.executable, "deploy/local/check_sources.py"))
    yield Check("locks", (sys.executable, "deploy/local/lock.py", "--check"))
    yield Check("contracts", (sys.executable, "deploy/local/check_contracts.py"))
    yield Check("manifests", (sys.executable, "deploy/check_manifests.py"))
    yield Check("dependencies", (sys.executable, "deploy/local/check_dependencies.py"))


def run(check: Check) -> tuple[int, str, float]:
    began = time.monotonic()
    done = subprocess.run(
        check.command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    return done.returncode, done.stdout, time.monotonic() - began


def main() -> int:
    failed = []
    began = time.monotonic()
    planned = list(checks())
    with ThreadPoolExecutor(2) as threads:
        for check, (code, said, seconds) in zip(planned, threads.map(run, planned), strict=True):
            print(f"{'ok    ' if code == 0 else 'FAILED'} {check.title} ({seconds:.1f} s)", flush=True)
            if code != 0:
                failed.append(check.title)
            if code != 0 or "warning" in said:
                print(said.strip(), flush=True)
    print(f"check: {', '.join(failed) + ' failed' if failed else 'all good'}, {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
