"""PostgreSQL and RabbitMQ in containers, where an engine answers; testcontainers' reaper removes what we leave."""

import contextlib
import hashlib
import json
import os
import secrets
import socket
import tempfile
import time
from pathlib import Path
from typing import cast
from urllib.parse import quote, urlsplit

from common.testing.keeper import free_ports

POSTGRES_IMAGE = "postgres:17"
RABBITMQ_IMAGE = "rabbitmq:4.1"
_SOCKET = "unix:///var/run/docker.sock"


def engine_answers() -> bool:
    """Whether somebody listens where the Docker client would look; a client alone is no engine."""
    where = urlsplit(os.environ.get("DOCKER_HOST", _SOCKET))
    with contextlib.suppress(OSError):
        if where.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as probe:
                probe.settimeout(2)
                probe.connect(where.path)
                return True
        with socket.create_connection((where.hostname or "127.0.0.1", where.port or 2375), 2):
            return True
    return False


def _volume(folder: Path) -> str:
    return f"lectern-{hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:16]}"


def forget(folder: Path) -> None:
    """Remove the data that a server with this folder keeps in Docker, if it ever did."""
    if not (folder / "docker.json").exists() or not engine_answers():
        return
    import docker  # noqa: PLC0415 - heavy, and only where an engine answers

    client = docker.from_env()
    with contextlib.suppress(docker.errors.NotFound):
        client.volumes.get(_volume(folder)).remove(force=True)
    client.close()


class _Container:
    """One container with one port published on the loopback interface."""

    def __init__(self, image: str, port: int, environment: dict[str, str], folder: Path, data: str) -> None:
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - development dependency, heavy

        (self.port,) = free_ports(1)
        self.image = image
        self._folder = folder
        self._container = DockerContainer(image)
        # the engine's client takes (address, port) where testcontainers' own method knows a port only
        cast("dict[int, tuple[str, int]]", self._container.ports)[port] = ("127.0.0.1", self.port)
        # a volume, not a folder of ours: its files belong to the image's own users
        self._container.with_volume_mapping(_volume(folder), data, "rw")
        for name, value in environment.items():
            self._container.with_env(name, value)

    @property
    def is_running(self) -> bool:
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return str(wrapped.status) == "running"

    def start(self) -> None:
        self._container.start()
        self.wait()

    def stop(self) -> None:
        self._container.stop()
        if self._folder.is_relative_to(tempfile.gettempdir()):
            forget(self._folder)

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def restart(self) -> None:
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        if wrapped.status == "running":
            wrapped.stop()
        wrapped.start()
        self.wait()

    def run(self, *command: str) -> str:
        code, output = self._container.exec(list(command))
        said = (output if isinstance(output, bytes) else b"".join(output)).decode(errors="replace")
        if code != 0:
            raise RuntimeError(f"{' '.join(command)}: {said}")
        return said

    def wait(self) -> None:
        raise NotImplementedError


def _until_greeting(port: int, said: bytes, expected: bytes) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as connection:
            connection.settimeout(2)
            connection.sendall(said)
            if expected in connection.recv(4096):
                return
        time.sleep(0.1)
    raise TimeoutError(f"nobody answered on port {port} as expected within 120 s")


def _kept(folder: Path, fresh: dict[str, str]) -> dict[str, str]:
    """The secrets with which the data in *folder* were made."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "docker.json"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(json.dumps(fresh))
    return dict(json.loads(path.read_text()))


class DockerPostgres(_Container):
    """The official image, with our limits."""

    def __init__(self, folder: Path) -> None:
        self._password = _kept(folder, {"password": secrets.token_hex(24)})["password"]
        environment = {"POSTGRES_PASSWORD": self._password, "PGDATA": "/data/pg"}
        super().__init__(POSTGRES_IMAGE, 5432, environment, folder, "/data")
        self._container.with_command("postgres -c shared_buffers=64MB -c max_connections=200 -c jit=off")

    @property
    def url(self) -> str:
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self.port}/postgres"

    @property
    def how(self) -> str:
        return f"{self.image} in Docker, port {self.port}"

    def wait(self) -> None:
        # the first start runs a throw-away server on the socket only, so an answer over TCP means the real one.
        # an SSL request is answered by one byte, N here
        _until_greeting(self.port, b"\x00\x00\x00\x08\x04\xd2\x16\x2f", b"N")


class DockerRabbitmq(_Container):
    """The official image."""

    def __init__(self, folder: Path) -> None:
        self._password = _kept(folder, {"password": secrets.token_hex(24)})["password"]
        environment = {
            "RABBITMQ_DEFAULT_USER": "lectern",
            "RABBITMQ_DEFAULT_PASS": self._password,
            "RABBITMQ_DEFAULT_VHOST": "lectern",
            "RABBITMQ_NODENAME": "lectern@localhost",  # the data belong to the name
        }
        super().__init__(RABBITMQ_IMAGE, 5672, environment, folder, "/var/lib/rabbitmq")

    @property
    def url(self) -> str:
        return self.vhost_url("lectern")

    @property
    def how(self) -> str:
        return f"{self.image} in Docker, port {self.port}"

    def vhost_url(self, vhost: str) -> str:
        return f"amqp://lectern:{self._password}@127.0.0.1:{self.port}/{quote(vhost, safe='')}"

    def ctl(self, *arguments: str) -> str:
        return self.run("rabbitmqctl", "--quiet", *arguments)

    def add_vhost(self, name: str) -> str:
        self.ctl("add_vhost", name)
        self.ctl("set_permissions", "-p", name, "lectern", ".*", ".*", ".*")
        return self.vhost_url(name)

    def add_user(
        self, name: str, password: str, *, vhost: str = "lectern", may: tuple[str, str, str] = ("", ".*", ".*")
    ) -> str:
        self.ctl("add_user", name, password)
        self.ctl("set_permissions", "-p", vhost, name, *may)
        return f"amqp://{quote(name, safe='')}:{quote(password, safe='')}@127.0.0.1:{self.port}/{quote(vhost, safe='')}"

    def begin(self) -> None:
        self.start()

    def wait_ready(self) -> None:
        self.wait()

    def wait(self) -> None:
        _until_greeting(self.port, b"AMQP\0\0\x09\x01", b"RabbitMQ")
