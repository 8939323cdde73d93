"""A private RabbitMQ node from installed binaries: own folder, own ports, own epmd, loopback only.

It runs as whoever starts it, root too: the scripts behind Debian's wrapper do not mind.
"""

import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from common.testing.keeper import Child, clean_environment, end_leftover, free_ports, spawn

_USER = "lectern"
_CONFIGURATION = """
listeners.tcp.1 = 127.0.0.1:{port}
default_user = {user}
default_pass = {password}
default_vhost = {user}
vm_memory_high_watermark.absolute = 512MB
disk_free_limit.absolute = 50MB
raft.wal_max_size_bytes = 33554432
log.console = true
log.console.level = info
log.connection.level = warning
log.file = false
"""
_HANDSHAKE = b"AMQP\0\0\x09\x01"


class RabbitmqFailed(Exception):
    """RabbitMQ did not start."""


def binaries() -> Path | None:
    """The folder of the scripts, behind the wrappers that insist on root or the user rabbitmq."""
    if not os.environ.get("PATH") or not shutil.which("erl"):
        return None
    places = [Path("/usr/lib/rabbitmq/bin")]
    if wrapper := shutil.which("rabbitmq-server"):
        places.append(Path(wrapper).resolve().parent)
    places += Path("/").glob("opt/homebrew/opt/rabbitmq/sbin")
    return next((place for place in places if os.access(place / "rabbitmq-env", os.R_OK)), None)


class PrivateRabbitmq:
    """The node and its folder; the same data and port over `kill` and `restart`."""

    def __init__(self, folder: Path) -> None:
        found = binaries()
        if found is None:
            raise RabbitmqFailed("No RabbitMQ is installed here.")
        self._bin = found
        self.folder = folder
        self._ports: list[int] = []
        self._node: Child | None = None
        self._epmd: Child | None = None
        self._name = ""
        self._password = ""
        self.version = "?"

    @property
    def port(self) -> int:
        return self._ports[0]

    @property
    def url(self) -> str:
        return self.vhost_url(_USER)

    @property
    def how(self) -> str:
        return f"private RabbitMQ {self.version} from {self._bin}, port {self.port}"

    @property
    def is_running(self) -> bool:
        return self._node is not None and self._node.returncode is None

    @property
    def log(self) -> Path:
        return self.folder / "rabbitmq.log"

    def vhost_url(self, vhost: str) -> str:
        return f"amqp://{_USER}:{self._password}@127.0.0.1:{self.port}/{quote(vhost, safe='')}"

    def start(self) -> None:
        self.begin()
        self.wait_ready()

    def wait_ready(self) -> None:
        """After `begin`."""
        if not self._becomes_ready():
            raise RabbitmqFailed(f"RabbitMQ did not start. The end of {self.log}:\n{self._tail()}")

    def begin(self) -> None:
        """Start it without waiting; the URL is known from here on, so its users may start beside it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # quorum queues remember the node's name, so it belongs to the data
        self._name = self._kept("name", f"lectern-{secrets.token_hex(6)}@localhost")
        self._password = self._kept("password", secrets.token_hex(24))
        self._end_leftovers()
        self._ports = self._ports or free_ports(3)
        self._launch()

    def stop(self) -> None:
        if self._node:
            self._node.stop()
            self._node = None
        self._stop_epmd()

    def kill(self) -> None:
        """SIGKILL to the node; its epmd, which holds no data, stays."""
        if self._node:
            self._node.kill()
            self._node = None

    def restart(self) -> None:
        """Start again on the same data and port, after `kill` or instead of a running one."""
        if self._node:
            self._node.stop()
            self._node = None
        self.start()

    def ctl(self, *arguments: str) -> str:
        """`rabbitmqctl`, e.g. `ctl("stop_app")`. Raises CalledProcessError with what it said."""
        done = subprocess.run(
            [self._bin / "rabbitmqctl", "--quiet", "-n", self._name, *arguments],
            capture_output=True,
            text=True,
            check=True,
            env=self._environment(),
            cwd=self.folder,
            timeout=60,
        )
        return done.stdout

    def add_vhost(self, name: str) -> str:
        """Make it and give its URL; made already is fine."""
        self.ctl("add_vhost", name)
        self.ctl("set_permissions", "-p", name, _USER, ".*", ".*", ".*")
        return self.vhost_url(name)

    def add_user(
        self, name: str, password: str, *, vhost: str = _USER, may: tuple[str, str, str] = ("", ".*", ".*")
    ) -> str:
        """A user with *may* (configure, write, read) in *vhost*; gives the URL."""
        self.ctl("add_user", name, password)
        self.ctl("set_permissions", "-p", vhost, name, *may)
        return f"amqp://{quote(name, safe='')}:{quote(password, safe='')}@127.0.0.1:{self.port}/{quote(vhost, safe='')}"

    def _kept(self, name: str, fresh: str) -> str:
        path = self.folder / name
        if not path.exists():
            draft = self.folder / f"{name}.new"
            draft.touch(mode=0o600)
            draft.write_text(fresh)
            draft.rename(path)
        return path.read_text()

    def _environment(self) -> dict[str, str]:
        port, distribution, epmd = self._ports
        folder = self.folder
        erlang = "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"
        return clean_environment() | {
            "HOME": str(folder),  # the Erlang cookie is kept here
            "RUNNING_UNDER_SYSTEMD": "1",  # no proxy shell between us and the node
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "env.conf"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": erlang,
            "ERL_EPMD_PORT": str(epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def _end_leftovers(self) -> None:
        """A node or epmd that survived an earlier run is ended, if the remembered pid is still it."""
        if self._node is None:
            self._end_remembered("node.pid", str(self.folder), signal.SIGTERM)
        if self._epmd is None:
            self._end_remembered("epmd.pid", "epmd -port", signal.SIGKILL)

    def _end_remembered(self, name: str, expected: str, number: signal.Signals) -> None:
        path = self.folder / name
        with contextlib.suppress(OSError, ValueError):
            end_leftover(int(path.read_text()), expected, number)
        path.unlink(missing_ok=True)

    def _launch(self) -> None:
        (self.folder / "enabled_plugins").write_text("[].\n")
        settings = _CONFIGURATION.format(port=self.port, user=_USER, password=self._password)
        configuration = self.folder / "rabbitmq.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(settings)
        environment = self._environment()
        if self._epmd is None or self._epmd.returncode is not None:
            # our own child instead of the daemon that a node would leave behind
            self._epmd = spawn(
                [
                    shutil.which("epmd") or self._epmd_beside_erl(),
                    "-port",
                    str(self._ports[2]),
                    "-address",
                    "127.0.0.1",
                ],
                environment=environment,
                log=self.folder / "epmd.log",
                folder=self.folder,
            )
            (self.folder / "epmd.pid").write_text(str(self._epmd.pid))
        self._node = spawn([self._bin / "rabbitmq-server"], environment=environment, log=self.log, folder=self.folder)
        (self.folder / "node.pid").write_text(str(self._node.pid))

    def _becomes_ready(self) -> bool:
        node = self._node
        deadline = time.monotonic() + 120
        while node and node.returncode is None and time.monotonic() < deadline:
            if self._answers():
                return True
            time.sleep(0.05)
        self.kill()
        self._stop_epmd()
        return False

    def _stop_epmd(self) -> None:
        if self._epmd:
            self._epmd.stop(2)
            self._epmd = None
        (self.folder / "epmd.pid").unlink(missing_ok=True)

    @staticmethod
    def _epmd_beside_erl() -> str:
        erl = Path(shutil.which("erl") or "/usr/bin/erl").resolve()
        return str(next(erl.parents[1].glob("erts-*/bin/epmd"), erl.with_name("epmd")))

    def _answers(self) -> bool:
        """An AMQP greeting that names our node: a port that merely accepts may be a neighbour's."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as connection:
            connection.settimeout(2)
            connection.sendall(_HANDSHAKE)
            greeting = connection.recv(4096)
            if self._name.partition("@")[0].encode() + b"@" in greeting:
                if said := re.search(rb"\x07versionS....([\d.]+)", greeting, re.DOTALL):
                    self.version = said[1].decode()
                return True
        return False

    def _tail(self) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
        return ""
