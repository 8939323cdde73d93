"""`apt-get install` of the servers, on Debian and Ubuntu, as root or with sudo, without starting system services."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_POLICY = Path("/usr/sbin/policy-rc.d")
_DENY = "#!/bin/sh\nexit 101\n"


def _is_debian() -> bool:
    release = Path("/etc/os-release")
    if not release.exists() or not shutil.which("apt-get"):
        return False
    words = {
        word.strip('"')
        for line in release.read_text().splitlines()
        if line.startswith(("ID=", "ID_LIKE="))
        for word in line.partition("=")[2].replace('"', " ").split()
    }
    return bool(words & {"debian", "ubuntu"})


def _as_root() -> list[str] | None:
    """What to put before a command so that it runs as root; sudo may ask only where somebody can answer."""
    if os.geteuid() == 0:
        return []
    if not shutil.which("sudo"):
        return None
    if sys.stdin is not None and sys.stdin.isatty():
        return ["sudo"]
    quiet = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
    return ["sudo", "-n"] if quiet.returncode == 0 else None


def can_install() -> bool:
    return _is_debian() and _as_root() is not None


@contextmanager
def _no_services_started(root: list[str]) -> Iterator[None]:
    """Debian starts what it installs; our servers are private ones, so its policy hook says no meanwhile."""
    if _POLICY.exists():
        yield
        return
    subprocess.run([*root, "tee", _POLICY], input=_DENY, text=True, stdout=subprocess.DEVNULL, check=True)
    subprocess.run([*root, "chmod", "755", _POLICY], check=True)
    try:
        yield
    finally:
        subprocess.run([*root, "rm", "-f", _POLICY], check=True)


def install(packages: list[str]) -> bool:
    """Whether apt-get said yes; what it says goes to stderr, since it may take minutes."""
    root = _as_root()
    if root is None:
        return False
    print(f"Installing {' '.join(packages)} with apt-get ...", file=sys.stderr, flush=True)  # noqa: T201 - the caller waits
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-qq"]
    with _no_services_started(root):
        subprocess.run([*apt, "update"], stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
        command = [*apt, "install", "--no-install-recommends", *packages]
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode == 0
