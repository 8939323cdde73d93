"""A private PostgreSQL from installed binaries: own folder, own port, loopback only."""

import contextlib
import functools
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path

from common.testing.keeper import Account, Child, clean_environment, end_leftover, free_ports, spawn

OLDEST = 15
_CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_buffers = 64MB
max_connections = 200
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_checkpoints = off
"""
_UNSAFE = "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\n"


class PostgresFailed(Exception):
    """PostgreSQL did not start."""


@functools.cache
def binaries() -> dict[int, Path]:
    """The folders with a server's binaries on this machine, by major version."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    if folders:  # an emptied PATH asks for nothing to be found
        folders += [
            folder
            for place in ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")
            for folder in Path("/").glob(place)
        ]
    found: dict[int, Path] = {}
    for folder in folders:
        if not all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
            continue
        said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
        if (version := re.search(r"\b(\d+)(?:\.|\D*$)", said)) and int(version[1]) >= OLDEST:
            found.setdefault(int(version[1]), (folder / "postgres").resolve().parent)
    return found


def account() -> Account | None:
    """PostgreSQL refuses to run as root: root's servers run as `postgres`, or else as `nobody`."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise PostgresFailed("PostgreSQL does not run as root, and there is no user `postgres` or `nobody` to run it as.")


def reachable_folder(folder: Path, who: Account | None) -> Path:
    """*folder*, or one below /var/lib where *who* may not walk to it (a checkout below /root)."""
    if who is None:
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    probe = subprocess.run(
        ["/usr/bin/test", "-x", str(folder.parent)], user=who.uid, group=who.gid, extra_groups=[], check=False
    )
    if probe.returncode == 0:
        return folder
    return Path("/var/lib/lectern") / str(folder.resolve()).strip("/").replace("/", "-")


class PrivatePostgres:
    """The server process and its folder; the same data and port over `kill` and `restart`."""

    def __init__(self, folder: Path, *, fsync: bool = True) -> None:
        self._account = account()
        self.folder = reachable_folder(folder, self._account)
        self._data = self.folder / "data"
        self._fsync = fsync
        self._child: Child | None = None
        self._bin, self.version = self._choose()
        self._password = ""
        self.port = 0

    @property
    def url(self) -> str:
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self.port}/postgres"

    @property
    def how(self) -> str:
        user = f", as user {self._account.name}" if self._account else ""
        return f"private PostgreSQL {self.version} from {self._bin}, port {self.port}{user}"

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.returncode is None

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    def start(self) -> None:
        self._initialise()
        self._end_leftover()
        for attempt in (1, 2, 3):
            if not self.port or attempt > 1:
                (self.port,) = free_ports(1)
            if self._launch():
                return
            taken = self._child is not None and "could not bind" in self._child.log_tail()
            if not taken:
                break
        raise PostgresFailed(f"PostgreSQL did not start. The end of {self.log}:\n{self._tail()}")

    def stop(self) -> None:
        """A fast shutdown: sessions end, nothing has to be recovered at the next start."""
        if self._child:
            self._child.stop()
            self._child = None

    def kill(self) -> None:
        """SIGKILL to the server and its sessions."""
        if self._child:
            self._child.kill()
            self._child = None

    def restart(self) -> None:
        """Start again on the same data and port, after `kill` or instead of a running one."""
        self.stop()
        self.start()

    def _choose(self) -> tuple[Path, int]:
        installed = binaries()
        if not installed:
            raise PostgresFailed(f"No PostgreSQL {OLDEST} or newer is installed here.")
        made_by = self._data / "PG_VERSION"
        with contextlib.suppress(OSError):
            version = int(made_by.read_text())
            if version not in installed:
                found = ", ".join(map(str, sorted(installed)))
                raise PostgresFailed(
                    f"The data in {self._data} belong to PostgreSQL {version}; installed here: {found}. "
                    f"Install that version, or forget the data with `make reset`."
                )
            return installed[version], version
        newest = max(installed)
        return installed[newest], newest

    def _initialise(self) -> None:
        kept = self.folder / "password"
        if not kept.exists() or not (self._data / "PG_VERSION").exists():
            self._make_cluster(kept)
        self._password = kept.read_text().strip()

    def _make_cluster(self, kept: Path) -> None:
        """A cluster that is not whole (killed during initdb) has no password file yet and is made again."""
        shutil.rmtree(self._data, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._account:
            os.chown(self.folder, self._account.uid, self._account.gid)
        draft = self.folder / "password.new"
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(24))
        if self._account:
            os.chown(draft, self._account.uid, self._account.gid)
        said = ""
        # one locale after the other: with plain C, pg_trgm takes letters beyond ASCII for punctuation
        for locale in ("C.UTF-8", "en_US.UTF-8", "C"):
            command = [f"{self._bin}/initdb", f"--pgdata={self._data}", "--username=postgres", "--encoding=UTF8"]
            command += [f"--locale={locale}", "--auth=scram-sha-256", f"--pwfile={draft}"]
            done = subprocess.run(
                command if self._fsync else [*command, "--no-sync"],
                capture_output=True,
                text=True,
                check=False,
                env=clean_environment(),
                cwd="/",
                user=self._account.uid if self._account else None,
                group=self._account.gid if self._account else None,
                extra_groups=[] if self._account else None,
            )
            if done.returncode == 0:
                draft.rename(kept)
                return
            said = done.stderr
            if "locale" not in said:
                break
        raise PostgresFailed(f"initdb failed:\n{said}")

    def _end_leftover(self) -> None:
        """A postmaster that survived an earlier run is ended; a pid that is another process's by now is not."""
        pid_file = self._data / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError):
            end_leftover(int(pid_file.read_text().splitlines()[0]), str(self._data), signal.SIGINT)
            pid_file.unlink(missing_ok=True)

    def _launch(self) -> bool:
        settings = _CONFIGURATION + ("" if self._fsync else _UNSAFE) + f"port = {self.port}\n"
        (self._data / "postgresql.auto.conf").write_text(settings)
        self._child = spawn(
            [self._bin / "postgres", "-D", self._data],
            environment=clean_environment(),
            log=self.log,
            folder=self._data,
            account=self._account,
            stop_signal=signal.SIGINT,
        )
        deadline = time.monotonic() + 120  # recovery after a crash may take its time
        while time.monotonic() < deadline:
            if self._is_ready(self._child.pid):
                return True
            if self._child.returncode is not None:
                return False
            time.sleep(0.02)
        self.kill()
        return False

    def _is_ready(self, pid: int) -> bool:
        with contextlib.suppress(OSError, IndexError):
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            return lines[0] == str(pid) and lines[7].strip() == "ready"
        return False

    def _tail(self) -> str:
        return self._child.log_tail() if self._child else ""
