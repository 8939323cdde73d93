"""Make .venv from requirements.lock with nothing but a Python and its standard library; quick when it is made already.

`python3 deploy/local/bootstrap.py`. Where packages come from is the business of pip's and uv's own configuration.
"""

# ruff: noqa: UP035, UP006, UP045 - an older Python must get as far as the sentence that says it is too old

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator, List, Optional, Sequence

ROOT = Path(__file__).resolve().parents[2]
OLDEST = (3, 11)


class SetupFailed(Exception):
    """The environment cannot be made."""


def packages(root: Path) -> List[Path]:
    """The folders of our own distributions."""
    return sorted(path.parent for folder in ("libs", "services") for path in root.glob(f"{folder}/*/pyproject.toml"))


def stamp(root: Path) -> str:
    """What the environment was made from; another lock, manifest or Python gives another one."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {root}".encode())
    for path in [root / "requirements.lock", *(folder / "pyproject.toml" for folder in packages(root))]:
        digest.update(f"{path.relative_to(root)}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_fresh(root: Path, venv: Path) -> bool:
    try:
        kept = (venv / ".stamp").read_text()
    except FileNotFoundError:  # also when another set-up takes it away in this moment
        return False
    return (venv / "bin/python").exists() and kept == stamp(root)


def pinned(lock: str, name: str) -> str:
    """The stanza of *name* in a lock: its version and hashes."""
    found = re.search(rf"^{re.escape(name)}==.*?(?=^\S|\Z)", lock, re.MULTILINE | re.DOTALL)
    if not found:
        raise SetupFailed(f"requirements.lock does not pin {name}")
    return found[0]


@contextlib.contextmanager
def only_one(root: Path) -> Iterator[None]:
    """Two `make` at once must not build one environment: the second waits for the first."""
    handle = os.open(str(root), os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("Waiting for another set-up of this checkout ...")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def make_venv(venv: Path) -> None:
    python = "{}.{}".format(*sys.version_info[:2])
    if (venv / "bin/python").exists() and _runs([venv / "bin/python", "-m", "pip", "--version"]):
        return
    shutil.rmtree(str(venv), ignore_errors=True)
    _say(f"Making .venv with Python {python} ...")
    if _runs([sys.executable, "-m", "venv", venv]):
        return
    shutil.rmtree(str(venv), ignore_errors=True)
    _apt_get("python3-venv", f"python{python}-venv")
    if not _runs([sys.executable, "-m", "venv", venv]):
        shutil.rmtree(str(venv), ignore_errors=True)
        raise SetupFailed(
            "{} cannot make virtual environments: its modules venv and ensurepip are missing.\n"
            "On Debian and Ubuntu: apt-get install python3-venv (or run this as root, then it is done for you).\n"
            "Elsewhere: name a complete Python {} or newer with PYTHON=/path/to/python make ...".format(
                sys.executable, "{}.{}".format(*OLDEST)
            )
        )


def install(root: Path, venv: Path) -> None:
    """Everything the lock names, and our own distributions as editable installs."""
    python = venv / "bin/python"
    uv = venv / "bin/uv"
    lock = root / "requirements.lock"
    editable = [part for folder in packages(root) for part in ("--editable", str(folder))]
    _say("Installing what requirements.lock names ...")
    if not _install_uv(lock, python):
        _say("uv could not be installed; going on with pip, which takes a few minutes ...")
    elif _runs([uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", lock], root) and _runs(
        [uv, "pip", "install", "--quiet", "--python", python, "--no-deps", "--no-build-isolation", *editable], root
    ):
        return
    else:
        _say("uv did not manage; going on with pip, which takes a few minutes ...")
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps"]
    _run([*pip, "--require-hashes", "--requirement", lock], root)
    # the build backend looks for its own program on the PATH
    path = os.pathsep.join([str(venv / "bin"), os.environ.get("PATH", os.defpath)])
    _run(["env", f"PATH={path}", *pip, "--no-build-isolation", *editable], root)


def compile_imports(root: Path, venv: Path) -> None:
    """Bytecode of all that the services and the tests import, in one go: else each of many processes compiles it anew
    where nothing may be written on import (PYTHONDONTWRITEBYTECODE), four seconds of processor each.
    """
    services = sorted(path.parent.name for path in root.glob("services/*/src/*/app.py"))
    names = [f"{service}.{module}" for service in services for module in ("app", "consumers")]
    names += ["alembic.command", "common.process", "common.migrations", "olx.worker", "pytest", "hypothesis", "httpx"]
    loop = f"import importlib\nfor name in {names!r}:\n    importlib.import_module(name)"
    command = ["env", "--unset=PYTHONDONTWRITEBYTECODE", venv / "bin/python", "-c", loop]
    _runs(command, root)  # what cannot be imported says so where it is needed


def set_up(root: Path = ROOT) -> bool:
    """Whether there was anything to do. Raises `SetupFailed`."""
    venv = root / ".venv"
    if is_fresh(root, venv):
        return False
    with only_one(root):
        if is_fresh(root, venv):
            return False
        (venv / ".stamp").unlink(missing_ok=True) if venv.exists() else None
        make_venv(venv)
        install(root, venv)
        compile_imports(root, venv)
        (venv / ".stamp").write_text(stamp(root))
    return True


def newer_python() -> Optional[str]:
    """Another interpreter on the PATH that is new enough."""
    for minor in range(20, OLDEST[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found and _runs([found, "-c", ""]):
            return found
    return None


def main() -> int:
    if sys.version_info[:2] < OLDEST:
        newer = newer_python()
        if newer:
            os.execv(newer, [newer, __file__])  # noqa: S606 - the same script
        _say("Lectern needs Python {}.{} or newer; {} is {}.{}.".format(*OLDEST, sys.executable, *sys.version_info[:2]))
        return 1
    try:
        set_up()
    except SetupFailed as error:
        _say(f"Set-up failed. {error}")
        return 1
    return 0


def _install_uv(lock: Path, python: Path) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "uv.lock.txt"
        wanted.write_text(pinned(lock.read_text(), "uv"))
        command = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--requirement", wanted]
        return _runs(command)


def _apt_get(*names: str) -> None:
    if not shutil.which("apt-get"):
        return
    root = [] if os.geteuid() == 0 else ["sudo"] if sys.stdin.isatty() else ["sudo", "-n"]
    if root and not shutil.which("sudo"):
        return
    _say("Installing {} with apt-get ...".format(" ".join(names)))
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-qq"]
    _runs([*apt, "update"])
    for name in names:  # not every release has both
        _runs([*apt, "install", "--no-install-recommends", name])


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _quietly(command: Sequence[object], folder: Optional[Path]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=None if folder is None else str(folder),
        # uv trusts a list of its own unless told to trust what the machine trusts, as pip does
        env={"UV_SYSTEM_CERTS": "1", **os.environ},
    )


def _runs(command: Sequence[object], folder: Optional[Path] = None) -> bool:
    """Whether *command* succeeds; what a failing installer says is shown."""
    try:
        done = _quietly(command, folder)
    except OSError:
        return False
    if done.returncode != 0 and ("install" in command or "sync" in command):
        _say(done.stdout.strip())
    return done.returncode == 0


def _run(command: Sequence[object], folder: Path) -> None:
    done = _quietly(command, folder)
    if done.returncode != 0:
        raise SetupFailed("{}\n{}".format(" ".join(str(part) for part in command), done.stdout))


if __name__ == "__main__":
    sys.exit(main())
