"""Child processes and temporary folders that do not outlive whoever made them, however that one ends.

`spawn` starts a child in a session of its own and tells a small watchdog about it. The watchdog holds the reading end
of a pipe whose writing end only this process has: when this process is gone (SIGKILL included) the pipe closes, and
the watchdog stops what is left, descendants that daemonised included, and removes the folders.
PR_SET_PDEATHSIG is no substitute: it fires when the starting *thread* ends, and a change of user clears it.
"""

import atexit
import contextlib
import functools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# A leading underscore: services refuse LECTERN_ variables that they do not know.
MARKER = "_LECTERN_KEEPER"
_GRACE = 12.0
_LARGE_LOG = 20_000_000
_PROC = Path("/proc")
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Account:
    """The user a child runs as, where that is not our own."""

    name: str
    uid: int
    gid: int


class Child:
    """A process started by `spawn`."""

    def __init__(self, process: "subprocess.Popen[bytes]", stop_signal: signal.Signals, log: Path) -> None:
        self._process = process
        self._stop_signal = stop_signal
        self.pid = process.pid
        self.log = log

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float) -> bool:
        """Whether it ended within *seconds*."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.returncode is not None

    def ask_to_stop(self) -> None:
        if self.returncode is None:
            self.signal(self._stop_signal)

    def stop(self, seconds: float = 20) -> None:
        """Ask, wait, then SIGKILL it and whatever it had started."""
        family = descendants(self.pid)
        self.ask_to_stop()
        if not self.wait(seconds):
            self._process.kill()
            self._process.wait()
        _finish(family)
        _watchdog().tell("gone", str(self.pid))

    def kill(self) -> None:
        """SIGKILL to it and everything below it, as a machine that loses power."""
        family = descendants(self.pid)
        self._process.kill()
        self._process.wait()
        _finish(family, grace=0)
        _watchdog().tell("gone", str(self.pid))

    def log_tail(self, lines: int = 20) -> str:
        with contextlib.suppress(FileNotFoundError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""


def spawn(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    log: Path,
    folder: Path,
    account: Account | None = None,
    stop_signal: signal.Signals = signal.SIGTERM,
) -> Child:
    """Start *command* in *folder*, its output appended to *log*."""
    watchdog = _watchdog()
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LARGE_LOG:
        log.replace(log.with_name(f"{log.name}.1"))
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**environment, MARKER: f"{os.environ.get(MARKER, '')}.{watchdog.token}"},
            cwd=folder,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    watchdog.tell("pid", str(process.pid), str(int(stop_signal)))
    return Child(process, stop_signal, log)


@contextlib.contextmanager
def temporary_folder(prefix: str = "lectern-") -> Iterator[Path]:
    """A folder that is removed at the end, also when this process is killed."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o711)  # another account's server may have its own folder below
    watchdog = _watchdog()
    watchdog.tell("folder", str(folder))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        watchdog.tell("removed", str(folder))


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on, outside the range from which outgoing connections take theirs.

    A server that is killed must get its port back: one from the ephemeral range may be some connection's by then.
    """
    with contextlib.ExitStack() as held:
        ports: list[int] = []
        for port in random.sample(range(20000, 32000), 12000):
            if len(ports) == count:
                return ports
            probe = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                probe.bind((_LOOPBACK, port))
                ports.append(port)
    raise OSError("no free port between 20000 and 32000 on the loopback interface")


def is_free(port: int, host: str = _LOOPBACK) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind((host, port))
            return True
    return False


def clean_environment() -> dict[str, str]:
    """Ours without the variables that would steer a private server or a service from outside."""
    foreign = ("LECTERN_", "RABBITMQ_", "ERL_", "PG", MARKER)
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def command_line(pid: int) -> str:
    """What process *pid* was started as; empty where that cannot be seen."""
    with contextlib.suppress(OSError):
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def end_leftover(pid: int, expected: str, number: signal.Signals = signal.SIGKILL, seconds: float = 15) -> None:
    """End a server that an earlier run left behind, if *pid* is still it: its command line says *expected*."""
    if expected not in command_line(pid):
        return
    family = [pid, *descendants(pid)]
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    _finish(family, grace=seconds)


def _stat(pid: int) -> tuple[int, str, str] | None:
    """(parent, state, start time) of a process."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        # the command's name stands in parentheses and may hold anything
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return int(fields[1]), fields[0], fields[19]
    return None


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir(_PROC) if entry.isdigit()] if _PROC.is_dir() else []  # noqa: PTH208 - names only


def descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for other in _pids():
        if stat := _stat(other):
            children.setdefault(stat[0], []).append(other)
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _alive(pid: int) -> bool:
    """Whether *pid* has still to be ended; a watchdog below is not ours to end, it leaves when its work is done."""
    stat = _stat(pid)
    if stat is None and not _PROC.is_dir():
        with contextlib.suppress(OSError):
            os.kill(pid, 0)
            return True
    return stat is not None and stat[1] not in "ZX" and __file__ not in command_line(pid)


def _finish(pids: Sequence[int], grace: float = 3) -> None:
    """Wait *grace* seconds until *pids* are gone by themselves, then SIGKILL them."""
    deadline = time.monotonic() + grace
    while alive := [pid for pid in pids if _alive(pid)]:
        if time.monotonic() > deadline:
            for pid in alive:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline + 10:
                return
        time.sleep(0.02)


class _Watchdog:
    """The parent's end."""

    def __init__(self) -> None:
        self.token = uuid.uuid4().hex
        self._lock = threading.Lock()
        reading, self._writing = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__, self.token],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )
        finally:
            os.close(reading)
        atexit.register(self._leave, os.getpid())

    def _leave(self, owner: int) -> None:
        """At a normal exit the watchdog is gone, too, when we are."""
        if os.getpid() == owner:
            os.close(self._writing)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_GRACE + 10)

    def tell(self, *words: str) -> None:
        with self._lock, contextlib.suppress(BrokenPipeError):
            os.write(self._writing, ("\t".join(words) + "\n").encode())


_making = threading.Lock()


@functools.cache
def _one_watchdog(_: int) -> _Watchdog:
    return _Watchdog()


def _watchdog() -> _Watchdog:
    """One per process: a forked child must not speak to its parent's."""
    with _making:
        return _one_watchdog(os.getpid())


def _marked(token: str) -> list[int]:
    found = []
    for pid in _pids():
        with contextlib.suppress(OSError):
            if token.encode() in (_PROC / str(pid) / "environ").read_bytes():
                found.append(pid)
    return found


def _watch(token: str) -> None:
    """The watchdog's end: listen until the pipe closes, then end and remove what is still there."""
    processes: dict[int, tuple[int, str]] = {}
    folders: dict[str, None] = {}
    for line in sys.stdin:
        word, *rest = line.rstrip("\n").split("\t")
        if word == "pid" and (stat := _stat(int(rest[0]))):
            processes[int(rest[0])] = (int(rest[1]), stat[2])
        elif word == "gone":
            processes.pop(int(rest[0]), None)
        elif word == "folder":
            folders[rest[0]] = None
        elif word == "removed":
            folders.pop(rest[0], None)
    family: set[int] = set()
    for pid, (number, started) in processes.items():
        if (stat := _stat(pid)) and stat[2] == started:
            family |= {pid, *descendants(pid)}
            with contextlib.suppress(OSError):
                os.kill(pid, number)
    _finish(sorted(family), grace=_GRACE)
    while left := [pid for pid in _marked(token) if _alive(pid)]:
        _finish(left, grace=0)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _watch(sys.argv[1])
