"""A real PostgreSQL and a real RabbitMQ, for `make run` and for tests: found, or started for us alone.

In this order: URLs in the environment; private instances from installed binaries; Docker, if an engine answers;
`apt-get install` on Debian and Ubuntu, then private instances; else one message that names these four ways.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from common.testing import debian_packages, docker_servers, postgres_server, rabbitmq_server
from common.testing.docker_servers import DockerPostgres, DockerRabbitmq
from common.testing.keeper import temporary_folder
from common.testing.postgres_server import PrivatePostgres
from common.testing.rabbitmq_server import PrivateRabbitmq

POSTGRES_VARIABLE = "LECTERN_POSTGRES_URL"
AMQP_VARIABLE = "LECTERN_AMQP_URL"
EXTENSIONS = ("btree_gist", "pg_trgm", "unaccent")


class ServersMissing(Exception):
    """No PostgreSQL or no RabbitMQ can be had."""


class ExtensionsMissing(Exception):
    """This PostgreSQL lacks extensions that Lectern uses."""


class NotOurs(Exception):
    """This server came by URL: it is not ours to stop or change."""


class Postgres(Protocol):
    """A running PostgreSQL."""

    @property
    def url(self) -> str:
        """A superuser's URL (or what the environment gave)."""

    @property
    def how(self) -> str:
        """Which server was taken, for people."""

    @property
    def is_running(self) -> bool: ...
    def kill(self) -> None: ...
    def restart(self) -> None: ...


class Broker(Protocol):
    """A running RabbitMQ."""

    @property
    def url(self) -> str: ...
    @property
    def how(self) -> str: ...
    @property
    def is_running(self) -> bool: ...
    def wait_ready(self) -> None: ...
    def kill(self) -> None: ...
    def restart(self) -> None: ...
    def ctl(self, *arguments: str) -> str: ...
    def add_vhost(self, name: str) -> str: ...
    def add_user(self, name: str, password: str, *, vhost: str = ..., may: tuple[str, str, str] = ...) -> str: ...


@dataclass(frozen=True)
class Given:
    """A server that the environment named."""

    url: str
    variable: str

    @property
    def how(self) -> str:
        return f"{urlsplit(self.url).hostname}:{urlsplit(self.url).port or 'default port'} from {self.variable}"

    @property
    def is_running(self) -> bool:
        """As far as we are concerned."""
        return True

    def wait_ready(self) -> None:
        """Whoever named it started it."""

    def kill(self) -> None:
        raise NotOurs(self.how)

    def restart(self) -> None:
        raise NotOurs(self.how)

    def ctl(self, *arguments: str) -> str:
        raise NotOurs(f"{self.how}: rabbitmqctl {' '.join(arguments)}")

    def add_vhost(self, name: str) -> str:
        raise NotOurs(f"{self.how}: add_vhost {name}")

    def add_user(self, name: str, password: str, *, vhost: str = "/", may: tuple[str, str, str] = ("", "", "")) -> str:
        raise NotOurs(f"{self.how}: add_user {name} in {vhost} {may} {bool(password)}")


@dataclass(frozen=True)
class _Kind:
    title: str
    packages: tuple[str, ...]
    installed: Callable[[], bool]


_POSTGRES = _Kind("PostgreSQL", ("postgresql", "postgresql-contrib"), lambda: bool(postgres_server.binaries()))
_RABBITMQ = _Kind("RabbitMQ", ("rabbitmq-server",), lambda: rabbitmq_server.binaries() is not None)
_installing = threading.Lock()


def ensure_available(
    *, postgres_variable: str | None = POSTGRES_VARIABLE, amqp_variable: str | None = AMQP_VARIABLE
) -> None:
    """Install what is missing where that is possible. Raises `ServersMissing` with the four ways."""
    _ensure((_POSTGRES, postgres_variable), (_RABBITMQ, amqp_variable))


def _ensure(*wanted: tuple[_Kind, str | None]) -> None:
    with _installing:
        missing = [
            kind for kind, variable in wanted if not (variable and os.environ.get(variable)) and not kind.installed()
        ]
        if not missing or docker_servers.engine_answers():
            return
        if debian_packages.can_install():
            debian_packages.install([package for kind in missing for package in kind.packages])
            postgres_server.binaries.cache_clear()
        if still := [kind.title for kind in missing if not kind.installed()]:
            raise ServersMissing(
                f"Lectern needs {' and '.join(still)} and found none. Any one of these four ways will do:\n"
                f"  1. name running servers: {POSTGRES_VARIABLE}=postgresql://user:password@host:5432/postgres "
                f"{AMQP_VARIABLE}=amqp://user:password@host:5672/vhost\n"
                f"  2. install their programs (PostgreSQL {postgres_server.OLDEST} or newer with contrib; "
                f"RabbitMQ 3.10 or newer) and have them on the PATH: private instances are started from them\n"
                "  3. start a Docker engine that this user may use\n"
                "  4. on Debian or Ubuntu run this as root, or as a user with sudo: apt-get installs them"
            )


def own_variable(variable: str) -> str | None:
    """None, which asks for a server of one's own, where one can be had; else the variable that names a given one.

    For tests that kill servers, or that need a broker without other tests' queues.
    """
    kind = _POSTGRES if "POSTGRES" in variable else _RABBITMQ
    can = kind.installed() or docker_servers.engine_answers()
    return variable if not can and os.environ.get(variable) else None


@contextmanager
def postgres(folder: Path, *, variable: str | None = POSTGRES_VARIABLE, fsync: bool = True) -> Iterator[Postgres]:
    """A PostgreSQL whose data live in *folder*; stopped at the end. `variable=None`: in any case one of our own."""
    if variable and (url := os.environ.get(variable)):
        given = Given(url, variable)
        check_extensions(given)
        yield given
        return
    _ensure((_POSTGRES, variable))
    server = PrivatePostgres(folder, fsync=fsync) if postgres_server.binaries() else DockerPostgres(folder)
    try:
        server.start()
        check_extensions(server)
        yield server
    finally:
        server.stop()


@contextmanager
def rabbitmq(folder: Path, *, variable: str | None = AMQP_VARIABLE, wait: bool = True) -> Iterator[Broker]:
    """A RabbitMQ whose data live in *folder*; stopped at the end. `variable=None`: in any case one of our own.

    It takes some 7 s. With `wait=False` its users start meanwhile, and somebody calls `wait_ready`.
    """
    if variable and (url := os.environ.get(variable)):
        yield Given(url, variable)
        return
    _ensure((_RABBITMQ, variable))
    server = PrivateRabbitmq(folder) if rabbitmq_server.binaries() else DockerRabbitmq(folder)
    try:
        server.begin()
        if wait:
            server.wait_ready()
        yield server
    finally:
        server.stop()


@contextmanager
def test_postgres() -> Iterator[str]:
    """The URL of a PostgreSQL for one test run: fast, since nobody needs its data after a crash of the machine."""
    with (
        temporary_folder("lectern-postgres-") as folder,
        postgres(folder / "postgres", variable="LECTERN_TEST_POSTGRES_URL", fsync=False) as server,
    ):
        yield server.url


@contextmanager
def test_rabbitmq() -> Iterator[str]:
    """The URL of a virtual host for one test run."""
    with (
        temporary_folder("lectern-rabbitmq-") as folder,
        rabbitmq(folder / "rabbitmq", variable="LECTERN_TEST_AMQP_URL") as server,
    ):
        yield server.url


def check_extensions(server: Postgres) -> None:
    """Raises `ExtensionsMissing` and says what to install."""
    (rows,) = run_sql(server.url, "select name from pg_available_extensions")
    if missing := sorted(set(EXTENSIONS) - {row["name"] for row in rows}):
        raise ExtensionsMissing(
            f"This PostgreSQL lacks the extensions {', '.join(missing)}: {server.how}. "
            f"They come with its contrib package (postgresql-contrib on Debian, Ubuntu and Fedora)."
        )


def with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def run_sql(url: str, *statements: str) -> Sequence[Sequence[asyncpg.Record]]:
    """Each statement's rows. From plain code as well as from inside a running event loop."""

    async def run() -> Sequence[Sequence[asyncpg.Record]]:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            return [await connection.fetch(statement) for statement in statements]
        finally:
            await connection.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(run())).result()
